// Wall clock time, where the outside world speaks it: deadlines (gRPC's), timestamps (Prometheus').
#pragma once

#include <chrono>

#include "stock/clock/local_clock.h"

namespace stock::clock {

// LocalTime::max() for "none".
domain::LocalTime local_deadline(std::chrono::system_clock::time_point deadline,
                                 const LocalClock& clock);

// Since the Unix epoch.
double wall_seconds();

}  // namespace stock::clock
