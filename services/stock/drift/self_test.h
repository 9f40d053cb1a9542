// The auditor proves itself: an auditor of the same make looks, over and over, at two layers in
// this process, one of which lies in every way there is. What it misses, whom it accuses falsely,
// and how long it takes are told.
//
// Nothing of it touches the real layers or the ledger: the keys are such as nobody can name, and
// the ledger that they are compared with is made up with them. The keys of each trial are new.
//
// Two threads of its own: one plants, the other is the auditor's. All that is passed in outlives
// it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <thread>

#include "stock/clock/database_clock.h"
#include "stock/clock/local_clock.h"
#include "stock/drift/auditor.h"
#include "stock/drift/key_inbox.h"
#include "stock/drift/read_sample.h"

namespace stock::drift {

// Called on any of the self-test's threads. Must not block.
class SelfTestObserver {
 public:
  virtual ~SelfTestObserver() = default;
  // A planted lie was named for what it is, so long after it was planted; or was not, in time.
  virtual void lie_found(std::chrono::nanoseconds after) = 0;
  virtual void lie_missed() = 0;
  // An honest statement was called a divergence.
  virtual void falsely_accused() = 0;
};

class SelfTest {
 public:
  struct Options {
    std::chrono::nanoseconds interval = std::chrono::seconds(10);  // from trial to trial
    std::chrono::nanoseconds patience = std::chrono::seconds(1);   // a lie not found then is missed
    Auditor::Options auditor = {};  // as that of the real one; who leads does not matter
  };

  SelfTest(Options options, const clock::LocalClock& clock, SelfTestObserver& observer);
  ~SelfTest();
  SelfTest(const SelfTest&) = delete;
  SelfTest& operator=(const SelfTest&) = delete;

 private:
  class Script;
  class MadeUpLedger;
  class Silent;
  class Judge;

  void run(const std::stop_token& stop);

  const Options options_;
  const clock::LocalClock& clock_;
  clock::DatabaseClock database_clock_;  // of the made-up ledger
  std::unique_ptr<MadeUpLedger> ledger_;
  std::unique_ptr<Script> liar_;
  std::unique_ptr<Script> honest_;
  std::unique_ptr<Silent> silent_;
  std::unique_ptr<Judge> judge_;
  KeyInbox planted_;
  ReadSample unread_;
  std::unique_ptr<Auditor> auditor_;
  std::jthread thread_;
};

}  // namespace stock::drift
