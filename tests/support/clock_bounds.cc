#include "support/clock_bounds.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <limits>
#include <utility>

namespace stock::support {
namespace {

using domain::DatabaseTime;
using domain::LocalTime;
using std::chrono::microseconds;

// How fast the two clocks can drift apart.
constexpr std::int64_t kDriftPpm = 200;
// Samples on each side of the instant that are looked at: the next one may have been a slow one.
constexpr std::ptrdiff_t kNeighbours = 16;

constexpr std::int64_t kNsPerUs = 1000;

// 36,000 years: far from everything, and from where sums overflow.
constexpr microseconds kAlways(std::int64_t{1} << 60);

std::int64_t ns(LocalTime time) { return time.time_since_epoch().count(); }
std::int64_t ns(DatabaseTime time) { return time.time_since_epoch().count() * kNsPerUs; }

std::int64_t floor_us(std::int64_t value_ns) {
  return value_ns >= 0 ? value_ns / kNsPerUs : -((-value_ns + kNsPerUs - 1) / kNsPerUs);
}

struct Offset {  // database − local, in nanoseconds
  std::int64_t low = std::numeric_limits<std::int64_t>::min();
  std::int64_t high = std::numeric_limits<std::int64_t>::max();
};

Offset offset(const ClockSample& sample, LocalTime at) {
  const std::int64_t away =
      std::max<std::int64_t>({0, ns(at) - ns(sample.sent), ns(sample.received) - ns(at)});
  const std::int64_t drift = away / 1'000'000 * kDriftPpm + kDriftPpm;
  return {.low = ns(sample.stamp) - ns(sample.received) - drift,
          .high = ns(sample.stamp) + kNsPerUs - ns(sample.sent) + drift};
}

}  // namespace

ClockBounds::ClockBounds(std::vector<ClockSample> samples) : samples_(std::move(samples)) {
  std::ranges::sort(samples_, {}, &ClockSample::sent);
}

ClockBounds::Range ClockBounds::range(LocalTime at) const {
  const auto next = std::ranges::lower_bound(samples_, at, {}, &ClockSample::sent);
  const auto begin = next - std::min(kNeighbours, std::distance(samples_.begin(), next));
  const auto end = next + std::min(kNeighbours, std::distance(next, samples_.end()));
  if (begin == end) return {.low = DatabaseTime(-kAlways), .high = DatabaseTime(kAlways)};

  Offset all;                                    // what every sample allows
  Offset any{.low = all.high, .high = all.low};  // what one of them allows
  for (auto sample = begin; sample != end; ++sample) {
    const Offset one = offset(*sample, at);
    all = {.low = std::max(all.low, one.low), .high = std::min(all.high, one.high)};
    any = {.low = std::min(any.low, one.low), .high = std::max(any.high, one.high)};
  }
  // They contradict each other: the clock was set, and who knows when.
  const Offset& known = all.low <= all.high ? all : any;
  return {.low = DatabaseTime(microseconds(floor_us(ns(at) + known.low))),
          .high = DatabaseTime(microseconds(floor_us(ns(at) + known.high) + 1))};
}

}  // namespace stock::support
