#include "stock/clock/database_clock.h"

#include <algorithm>
#include <cstdlib>

namespace stock::clock {
namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::nanoseconds;

// Two quartz clocks, each off by up to 100 parts per million.
constexpr std::int64_t kDriftPpm = 200;
// What is put right without setting a clock: by running it slower or faster, for a while.
constexpr std::int64_t kSlewNs = 10'000'000;
// Stamps are whole microseconds.
constexpr std::int64_t kResolutionNs = 1000;

std::int64_t ns(domain::LocalTime time) { return time.time_since_epoch().count(); }
std::int64_t ns(domain::DatabaseTime time) {
  return duration_cast<nanoseconds>(time.time_since_epoch()).count();
}

std::int64_t error_at(std::int64_t error_ns, std::int64_t elapsed_ns) {
  return error_ns + std::max<std::int64_t>(elapsed_ns, 0) / 1'000'000 * kDriftPpm;
}

microseconds round_up(std::int64_t value_ns) { return microseconds((value_ns + 999) / 1000); }

}  // namespace

bool DatabaseClock::measured(domain::LocalTime sent, domain::DatabaseTime stamp,
                             domain::LocalTime received, std::uint64_t history) {
  Estimate fresh;
  fresh.measured_ns = ns(received);
  fresh.error_ns = (ns(received) - ns(sent)) / 2 + kResolutionNs;
  fresh.offset_ns = ns(stamp) - (ns(sent) + (ns(received) - ns(sent)) / 2);
  fresh.known = 1;
  fresh.history = history;

  const std::lock_guard lock(writers_);
  const Estimate current = estimate_.load();
  if (current.known != 0 && history < current.history) return false;
  bool was_set = false;
  if (current.known != 0 && history == current.history) {
    const std::int64_t current_error =
        error_at(current.error_ns, fresh.measured_ns - current.measured_ns);
    const std::int64_t apart = std::llabs(fresh.offset_ns - current.offset_ns);
    const std::int64_t allowed = fresh.error_ns + current_error;
    // The tighter one wins. When they exclude each other a clock was changed, and only the new one
    // can be right.
    if (apart <= allowed && current_error < fresh.error_ns) return false;
    was_set = apart > allowed + kSlewNs;
  }
  estimate_.store(fresh);
  return was_set;
}

std::optional<domain::Age> DatabaseClock::age(domain::DatabaseTime instant,
                                              domain::LocalTime now) const {
  const Estimate estimate = estimate_.load();
  if (estimate.known == 0) return std::nullopt;
  const std::int64_t age_ns = ns(now) + estimate.offset_ns - ns(instant);
  const std::int64_t error_ns = error_at(estimate.error_ns, ns(now) - estimate.measured_ns);
  if (age_ns < -error_ns - kResolutionNs) return std::nullopt;
  return domain::Age{round_up(std::max<std::int64_t>(age_ns, 0)), round_up(error_ns)};
}

std::optional<DatabaseClock::Offset> DatabaseClock::estimate(domain::LocalTime now) const {
  const Estimate estimate = estimate_.load();
  if (estimate.known == 0) return std::nullopt;
  return Offset{nanoseconds(estimate.offset_ns),
                nanoseconds(error_at(estimate.error_ns, ns(now) - estimate.measured_ns))};
}

std::optional<domain::DatabaseTime> DatabaseClock::earliest(domain::LocalTime now) const {
  const Estimate estimate = estimate_.load();
  if (estimate.known == 0) return std::nullopt;
  const std::int64_t error_ns = error_at(estimate.error_ns, ns(now) - estimate.measured_ns);
  return domain::DatabaseTime(
      duration_cast<microseconds>(nanoseconds(ns(now) + estimate.offset_ns - error_ns)));
}

std::optional<domain::DatabaseTime> DatabaseClock::latest(domain::LocalTime now) const {
  const Estimate estimate = estimate_.load();
  if (estimate.known == 0) return std::nullopt;
  const std::int64_t error_ns = error_at(estimate.error_ns, ns(now) - estimate.measured_ns);
  return domain::DatabaseTime(round_up(ns(now) + estimate.offset_ns + error_ns));
}

}  // namespace stock::clock
