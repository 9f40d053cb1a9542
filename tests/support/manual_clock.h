// A clock that stands still until the test moves it.
#pragma once

#include <atomic>
#include <chrono>

#include "stock/clock/local_clock.h"
#include "stock/domain/time.h"

namespace stock::support {

class ManualClock final : public clock::LocalClock {
 public:
  explicit ManualClock(domain::LocalTime start = domain::LocalTime(std::chrono::hours(1)))
      : now_(start) {}

  [[nodiscard]] domain::LocalTime now() const override { return now_.load(); }
  void advance(std::chrono::nanoseconds by) { now_ = now_.load() + by; }
  void set(domain::LocalTime now) { now_ = now; }

 private:
  std::atomic<domain::LocalTime> now_;
};

}  // namespace stock::support
