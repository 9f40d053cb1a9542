// Timers that are due when the test says so: advance the clock, then run_due().
#pragma once

#include <map>
#include <mutex>
#include <utility>

#include "stock/clock/local_clock.h"
#include "stock/clock/timers.h"

namespace stock::support {

class ManualTimers final : public clock::Timers {
 public:
  explicit ManualTimers(const clock::LocalClock& clock) : clock_(clock) {}

  Id at(domain::LocalTime when, absl::AnyInvocable<void()> action) override {
    const std::lock_guard lock(mutex_);
    const Id id = next_++;
    due_.emplace(std::pair(when, id), std::move(action));
    return id;
  }
  void cancel(Id id) override {
    const std::lock_guard lock(mutex_);
    std::erase_if(due_, [id](const auto& timer) { return timer.first.second == id; });
  }
  void drain() override {}

  void run_due() {
    while (true) {
      absl::AnyInvocable<void()> action;
      {
        const std::lock_guard lock(mutex_);
        if (due_.empty() || due_.begin()->first.first > clock_.now()) return;
        action = std::move(due_.begin()->second);
        due_.erase(due_.begin());
      }
      action();
    }
  }
  [[nodiscard]] std::size_t armed() const {
    const std::lock_guard lock(mutex_);
    return due_.size();
  }

 private:
  const clock::LocalClock& clock_;
  mutable std::mutex mutex_;
  std::map<std::pair<domain::LocalTime, Id>, absl::AnyInvocable<void()>> due_;
  Id next_ = 1;
};

}  // namespace stock::support
