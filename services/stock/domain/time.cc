#include "stock/domain/time.h"

#include <fmt/format.h>

namespace stock::domain {
namespace {

std::chrono::milliseconds time_of_day(DatabaseTime time) {
  const auto since = time.time_since_epoch();
  return std::chrono::floor<std::chrono::milliseconds>(
      since - std::chrono::floor<std::chrono::days>(since));
}

}  // namespace

std::string format_time(DatabaseTime time) {
  const std::chrono::sys_days day(std::chrono::floor<std::chrono::days>(time.time_since_epoch()));
  const std::chrono::year_month_day date(day);
  return fmt::format("{:04}-{:02}-{:02} {}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     format_time_of_day(time).substr(0, 8));
}

std::string format_time_of_day(DatabaseTime time) {
  const std::chrono::hh_mm_ss clock(time_of_day(time));
  return fmt::format("{:02}:{:02}:{:02}.{:03}", clock.hours().count(), clock.minutes().count(),
                     clock.seconds().count(), clock.subseconds().count());
}

}  // namespace stock::domain
