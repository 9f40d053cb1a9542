// Testifies: every rollup that has changed since it was last testified, as a claim of units sold in
// its hour, with the age of the stream's position. What is not judged is told again later, and so
// is what the ledger contradicts, for as long as it does: who says nothing more seems to have
// taken it back. It holds up nobody: counting has a thread and a session of its own.
//
// The position is dated by the clock of the ledger's database, ages are told by this machine's. By
// how much they differ follows from when the server says that it heard a claim, and no age is less
// than it is: it would look as if sales were known here that came later. The first claim, before
// that is known, has no age; it only asks. State belongs to one thread, but for what is atomic.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "analytics/counters.h"
#include "analytics/rollup_store.h"
#include "stock/clock/local_clock.h"
#include "stock/telemetry/log.h"

namespace analytics {

class Witness {
 public:
  struct Options {
    std::string stock_address;       // of stockd
    std::string name = "analytics";  // in the server's roster
    std::string instance;
    std::chrono::milliseconds interval{5000};
  };

  // `session` is nobody else's. All must outlive it.
  Witness(Options options, stock::postgres::Session& session, Counters& counters,
          const stock::clock::LocalClock& clock);
  ~Witness();
  Witness(const Witness&) = delete;
  Witness& operator=(const Witness&) = delete;

  void start();
  void stop();

  // Between a position and now; never negative. Any thread.
  [[nodiscard]] std::chrono::microseconds age(DatabaseTime watermark) const;

 private:
  struct Server;

  void run();
  // A page of claims; true: there may be more.
  bool testify();
  void failed(const char* what, const absl::Status& status);

  const Options options_;
  stock::postgres::Session& session_;
  RollupStore store_;
  Counters& counters_;
  stock::telemetry::LogEvery failure_log_;
  stock::telemetry::LogEvery verdict_log_;
  const std::unique_ptr<Server> server_;
  // This machine's clock is so far ahead of the database's, at most.
  std::atomic<std::chrono::microseconds> ahead_{std::chrono::microseconds(0)};
  bool knows_time_ = false;  // whether that has been heard
  std::mutex mutex_;
  std::condition_variable woken_;
  bool stopping_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace analytics
