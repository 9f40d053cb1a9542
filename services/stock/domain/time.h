// The two kinds of instants, which cannot be mixed up: what the database's clock says, and what
// this machine's says. Only clock/ relates them to each other.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace stock::domain {

// Time since the Unix epoch by the clock of the primary. Comparable only within one incarnation.
struct DatabaseTimescale {
  using rep = std::int64_t;
  using period = std::micro;
  using duration = std::chrono::microseconds;
  using time_point = std::chrono::time_point<DatabaseTimescale>;
};
using DatabaseTime = DatabaseTimescale::time_point;

// Time since this machine started, time asleep included. Means nothing outside the process.
struct LocalTimescale {
  using rep = std::int64_t;
  using period = std::nano;
  using duration = std::chrono::nanoseconds;
  using time_point = std::chrono::time_point<LocalTimescale>;
};
using LocalTime = LocalTimescale::time_point;

// For people, in UTC: "2026-11-24 02:03:11"; "02:03:11.123". Rounded down.
std::string format_time(DatabaseTime time);
std::string format_time_of_day(DatabaseTime time);

}  // namespace stock::domain
