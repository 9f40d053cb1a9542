// What the database's clock says now, as far as this process can know: measured by statements that
// return their own stamp, and known only to within the round trip of the best of them, plus drift
// since.
//
// Without a measurement nothing can be said, and no reading has an age. One writer at a time is
// enforced by a mutex; readers never wait.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>

#include "stock/clock/local_clock.h"
#include "stock/clock/published.h"
#include "stock/domain/freshness.h"
#include "stock/domain/time.h"

namespace stock::clock {

class DatabaseClock {
 public:
  explicit DatabaseClock(const LocalClock& local) : local_(local) {}

  // A statement was sent at `sent` and answered by `received`, and the database's clock read
  // `stamp` somewhere between. True: the clock was set since the measurement before, forward or
  // back, by more than clocks are slewed; dates from before mean something else now.
  //
  // `history`: a greater number than that of the measurement before says that the database is
  // another one, whose clock has nothing to do with the other's; a smaller one comes too late.
  bool measured(domain::LocalTime sent, domain::DatabaseTime stamp, domain::LocalTime received,
                std::uint64_t history = 0);

  // Age of something known to be true through `instant`, at `now`. Never negative: what is true
  // through a later instant than the middle of what is known is 0 old. Nothing before the first
  // measurement, and nothing for an instant that the database's clock cannot have reached: that is
  // of a time before the clock was set back.
  [[nodiscard]] std::optional<domain::Age> age(domain::DatabaseTime instant,
                                               domain::LocalTime now) const;
  [[nodiscard]] std::optional<domain::Age> age(domain::DatabaseTime instant) const {
    return age(instant, local_.now());
  }

  struct Offset {
    std::chrono::nanoseconds offset;  // database − local
    std::chrono::nanoseconds error;   // at most this much off, at the instant asked for
  };
  [[nodiscard]] std::optional<Offset> estimate(domain::LocalTime now) const;

  // The earliest that the database's clock can have read at `now`.
  [[nodiscard]] std::optional<domain::DatabaseTime> earliest(domain::LocalTime now) const;
  // The latest that it can have read.
  [[nodiscard]] std::optional<domain::DatabaseTime> latest(domain::LocalTime now) const;

 private:
  struct Estimate {
    std::int64_t offset_ns = 0;  // database − local, in the middle
    std::int64_t error_ns = 0;   // half the width, when measured
    std::int64_t measured_ns = 0;
    std::int64_t known = 0;  // 0: not measured yet
    std::uint64_t history = 0;
  };

  const LocalClock& local_;
  std::mutex writers_;
  Published<Estimate> estimate_;
};

}  // namespace stock::clock
