// The auditor proves itself: an auditor of the same make looks, over and over, at keys of which
// lies of every kind were planted: in a made-up layer in this process, and through the back doors
// of real ones that keep copies. What it misses, whom it accuses falsely, and how long it takes are
// told.
//
// The keys are such as nobody can name, new in each trial, and what they are compared with is a
// made-up history: no reader meets a planted copy, and nothing of it touches the ledger. A trial
// takes back what it planted.
//
// What could not be planted, is gone by itself (evicted, flushed), or could not be asked for,
// counts as neither found nor missed, and nothing counts of a trial in which the database's clock
// was set, another incarnation of the ledger began, or the process was held up. There is no trial
// while a layer's date means nothing: before the database's clock is known, or long after.
//
// Two threads of its own: one plants, the other is the auditor's. All that is passed in outlives
// it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string_view>
#include <thread>
#include <vector>

#include "stock/clock/database_clock.h"
#include "stock/clock/local_clock.h"
#include "stock/drift/auditor.h"
#include "stock/drift/key_inbox.h"
#include "stock/drift/read_sample.h"
#include "stock/feed/ledger_identity.h"
#include "stock/layers/layer.h"
#include "stock/layers/removable.h"
#include "stock/layers/switch.h"

namespace stock::drift {

// Called on the self-test's thread, when a trial is over. Must not block. `layer`: "made_up", or
// the name of a real one. `lie`: "stale", "counts"...
class SelfTestObserver {
 public:
  virtual ~SelfTestObserver() = default;
  // A planted lie was named for what it is, so long after it was planted; or was not, in time.
  virtual void lie_found(std::string_view layer, std::chrono::nanoseconds after) = 0;
  virtual void lie_missed(std::string_view layer, std::string_view lie) = 0;
  // An honest statement was called a divergence.
  virtual void falsely_accused(std::string_view layer) = 0;
};

// A way into a layer that keeps copies, behind the backs of those who read it.
struct BackDoor {
  layers::Layer* layer = nullptr;  // as the auditor asks it: beside the read path
  layers::Fillable* fill = nullptr;
  layers::Removable* copies = nullptr;
  const layers::Switch* power = nullptr;  // nothing is planted in what is switched off
  bool redates = false;                   // it vouches for its copies itself: see made_up.h
};

class SelfTest {
 public:
  struct Options {
    std::chrono::nanoseconds interval = std::chrono::seconds(10);  // from trial to trial
    std::chrono::nanoseconds patience = std::chrono::seconds(1);   // a lie not found then is missed
    Auditor::Options auditor = {};  // as that of the real one; who leads does not matter
  };

  SelfTest(Options options, std::vector<BackDoor> doors, const feed::LedgerIdentity& identity,
           const clock::DatabaseClock& database_clock, const clock::LocalClock& clock,
           SelfTestObserver& observer);
  ~SelfTest();
  SelfTest(const SelfTest&) = delete;
  SelfTest& operator=(const SelfTest&) = delete;

 private:
  class Script;
  class MadeUpLedger;
  class Silent;
  class Judge;
  struct Trial;

  void run(const std::stop_token& stop);
  // What is to be planted now; nothing: no trial can be.
  [[nodiscard]] std::optional<Trial> draw_up(std::uint64_t number) const;
  // Leaves in it what could be planted.
  void plant(Trial& trial, const std::stop_token& stop);
  void await(const Trial& trial, const std::stop_token& stop);
  void tell(const Trial& trial, const std::stop_token& stop);
  void take_back(const Trial& trial);

  // Those of the keys that a layer holds copies of.
  [[nodiscard]] std::set<domain::Key> held(layers::Layer& layer, std::vector<domain::Key> keys,
                                           const std::stop_token& stop) const;
  // Whether what was found in a trial means anything.
  [[nodiscard]] bool counts(const Trial& trial) const;
  [[nodiscard]] std::string_view name_of(std::size_t witness) const;

  const Options options_;
  const std::vector<BackDoor> doors_;
  const feed::LedgerIdentity& identity_;
  const clock::DatabaseClock& database_clock_;
  const clock::LocalClock& clock_;
  SelfTestObserver& observer_;
  const std::uint64_t nonce_;  // so that processes do not plant the same keys in what they share
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
