// Deadlines that arrive as wall clock time (gRPC's) in local time.
#pragma once

#include <chrono>

#include "stock/clock/local_clock.h"

namespace stock::clock {

// LocalTime::max() for "none".
domain::LocalTime local_deadline(std::chrono::system_clock::time_point deadline,
                                 const LocalClock& clock);

}  // namespace stock::clock
