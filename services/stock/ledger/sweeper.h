// Ends holds whose time is over, where nobody needed their stock before; and counts those that go
// on.
//
// One thread asks every `interval` which holds have ended, and hands each to the batchers, which
// judge it again under the locks. It does so only where this process leads; nothing false follows
// from two that do, or from none: a hold that has ended is nobody's, whether it was swept or not.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "stock/clock/local_clock.h"
#include "stock/domain/movement.h"
#include "stock/domain/time.h"
#include "stock/ledger/lanes.h"

namespace stock::ledger {

// In order of their ends.
struct EndedHold {
  domain::DatabaseTime end;
  domain::Uuid id{};
};

// Implemented in postgres/.
class Holds {
 public:
  virtual ~Holds() = default;
  // Up to `limit` of them behind `after`, those that ended first. Blocks for as long as a statement
  // may take.
  virtual absl::StatusOr<std::vector<EndedHold>> ended(std::int32_t limit,
                                                       const EndedHold& after) = 0;
  // How many there are, ended or not; `limit` if there are more. Blocks as long.
  virtual absl::StatusOr<std::int64_t> count(std::int64_t limit) = 0;
};

class Sweeper {
 public:
  struct Options {
    std::chrono::milliseconds interval{250};
    // Holds at once: no more than half a batch, so that who shops now has room beside those who do
    // not any more. When all of so many have been ended, the next ones follow at once.
    std::int32_t limit = 128;
    std::chrono::nanoseconds patience = std::chrono::seconds(5);
    // A count reads an entry of an index for each hold, and no more of them than this.
    std::chrono::nanoseconds count_interval = std::chrono::seconds(5);
    std::int64_t count_limit = 1'000'000;
    // Called on the sweeper's thread, as `failed` below.
    std::function<bool()> leads = [] { return true; };
    std::function<void(const std::string& error)> failed = [](const std::string&) {};
  };

  // What it is given outlives it.
  Sweeper(Options options, Holds& holds, Lanes& writes, const clock::LocalClock& clock);
  ~Sweeper();
  Sweeper(const Sweeper&) = delete;
  Sweeper& operator=(const Sweeper&) = delete;

  // Holds that this process ended, from any thread.
  [[nodiscard]] std::int64_t swept() const;
  // Holds that there are, as this process last counted them; 0 where it does not lead. From any
  // thread.
  [[nodiscard]] std::int64_t held() const { return held_; }

 private:
  void run();
  // Whether to go on at once.
  bool sweep();
  void count();
  // False when it is to end.
  bool pause(std::chrono::nanoseconds time);

  const Options options_;
  Holds& holds_;
  Lanes& writes_;
  const clock::LocalClock& clock_;

  mutable std::mutex mutex_;  // guards the rest
  std::condition_variable changed_;
  bool stopping_ = false;
  std::size_t open_ = 0;  // requests that are not answered
  std::int64_t swept_ = 0;

  std::atomic<std::int64_t> held_ = 0;

  // The sweeper's thread's. What cannot be ended now does not keep what comes behind it from that:
  // the next sweep goes on there, and from the beginning when there is no more.
  EndedHold after_;
  domain::LocalTime counted_at_ = domain::LocalTime::min();
  std::string error_;  // of the last sweep
  std::thread thread_;
};

}  // namespace stock::ledger
