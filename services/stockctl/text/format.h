#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace stockctl {

using Instant = std::chrono::sys_time<std::chrono::nanoseconds>;

// "1,204".
std::string format_count(std::int64_t count);
// "+5", "-1,204", "0".
std::string format_change(std::int64_t change);

// Two or three significant digits with a unit: "3 µs", "2.1 ms", "1.2 s", "4 min 12 s", "3 h 5
// min", "2 d 4 h".
std::string format_duration(std::chrono::nanoseconds duration);
// The same rounded up: an age must not look younger than it is.
std::string format_age(std::chrono::nanoseconds age);

// "2026-11-24 02:03:11.123", in UTC. Rounded down.
std::string format_time(Instant time);
// "2026-11-24 02:03:11".
std::string format_time_to_second(Instant time);
// "02:03:11.123".
std::string format_time_of_day(Instant time);

}  // namespace stockctl
