#include "stock/clock/wall_clock.h"

namespace stock::clock {

domain::LocalTime local_deadline(std::chrono::system_clock::time_point deadline,
                                 const LocalClock& clock) {
  // Beyond a day nobody waits, and far instants would overflow nanoseconds.
  const auto left =
      deadline.time_since_epoch() - std::chrono::system_clock::now().time_since_epoch();
  if (deadline == std::chrono::system_clock::time_point::max() || left > std::chrono::hours(24)) {
    return domain::LocalTime::max();
  }
  return clock.now() + std::chrono::duration_cast<std::chrono::nanoseconds>(left);
}

double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace stock::clock
