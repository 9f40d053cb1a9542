// Whether the auditor does its work: silence of one who is stopped, slowed or cut off from the
// ledger must not look like peace.
//
// Thread-safe. The clock outlives it.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "stock/clock/local_clock.h"

namespace stock::drift {

class AuditHealth {
 public:
  // The auditor is late when it has not finished a pass for so long, its start included.
  AuditHealth(std::chrono::nanoseconds late_after, const clock::LocalClock& clock)
      : late_after_(late_after), clock_(clock), finished_(clock.now()) {}

  void finished() {
    const std::lock_guard lock(mutex_);
    finished_ = clock_.now();
    failure_.clear();
  }
  void failed(const absl::Status& why) {
    const std::lock_guard lock(mutex_);
    failure_ = std::string(why.message());
  }

  // What is wrong with it, for people; empty: nothing.
  [[nodiscard]] std::string complaint() const {
    const std::lock_guard lock(mutex_);
    const std::chrono::duration<double> silent = clock_.now() - finished_;
    if (!failure_.empty()) {
      return fmt::format("nothing is judged: {}; the last pass was {:.1f} s ago", failure_,
                         silent.count());
    }
    if (silent > late_after_) return fmt::format("the last pass was {:.1f} s ago", silent.count());
    return "";
  }

 private:
  const std::chrono::nanoseconds late_after_;
  const clock::LocalClock& clock_;
  mutable std::mutex mutex_;
  domain::LocalTime finished_;  // guarded by mutex_, as the rest
  std::string failure_;         // of the pass after it; empty: none
};

}  // namespace stock::drift
