#include "stockctl/text/format.h"

#include <array>
#include <cstdio>
#include <string_view>

#include "stockctl/text/concat.h"

namespace stockctl {
namespace {

using std::chrono::nanoseconds;

enum class Rounding { kNearest, kUp };

std::int64_t divided(std::int64_t value, std::int64_t by, Rounding rounding) {
  const std::int64_t more = rounding == Rounding::kUp ? by - 1 : by / 2;
  return value / by + (value % by + more) / by;
}

// Up to a minute: "999 µs", "2.1 ms". Below 10 there is one decimal, but not for the smallest
// units.
std::string small(nanoseconds duration, Rounding rounding) {
  struct Unit {
    std::string_view name;
    std::int64_t ns;
  };
  constexpr std::array<Unit, 4> kUnits{
      {{"ns", 1}, {"µs", 1'000}, {"ms", 1'000'000}, {"s", 1'000'000'000}}};
  std::size_t i = 0;
  while (i + 1 < kUnits.size() && divided(duration.count(), kUnits[i].ns, rounding) >= 1'000) ++i;
  const Unit& unit = kUnits[i];
  if (unit.ns >= 1'000'000) {
    const std::int64_t tenths = divided(duration.count(), unit.ns / 10, rounding);
    if (tenths < 100) return concat(tenths / 10, '.', tenths % 10, ' ', unit.name);
  }
  return concat(divided(duration.count(), unit.ns, rounding), ' ', unit.name);
}

std::string with_rounding(nanoseconds duration, Rounding rounding) {
  if (duration < nanoseconds::zero()) {
    // An age below zero comes from clocks that disagree; it is shown as it is.
    return concat('-', with_rounding(-duration, Rounding::kNearest));
  }
  constexpr std::int64_t kSecond = 1'000'000'000;
  if (divided(duration.count(), kSecond, rounding) < 60) return small(duration, rounding);
  struct Pair {
    std::string_view large;
    std::string_view small;
    std::int64_t small_seconds;
    std::int64_t per_large;
    std::int64_t limit;
  };
  constexpr std::array<Pair, 3> kPairs{
      {{"min", "s", 1, 60, 3'600}, {"h", "min", 60, 60, 1'440}, {"d", "h", 3'600, 24, INT64_MAX}}};
  for (const Pair& pair : kPairs) {
    const std::int64_t count = divided(duration.count(), pair.small_seconds * kSecond, rounding);
    if (count >= pair.limit) continue;
    std::string text = concat(count / pair.per_large, ' ', pair.large);
    if (count % pair.per_large != 0) text += concat(' ', count % pair.per_large, ' ', pair.small);
    return text;
  }
  return "";
}

std::string digits(std::int64_t value) {
  const std::string plain = std::to_string(value);
  const std::size_t first = value < 0 ? 1 : 0;
  std::string text;
  for (std::size_t i = 0; i < plain.size(); ++i) {
    if (i > first && (plain.size() - i) % 3 == 0) text.push_back(',');
    text.push_back(plain[i]);
  }
  return text;
}

}  // namespace

std::string format_count(std::int64_t count) { return digits(count); }

std::string format_change(std::int64_t change) {
  return change > 0 ? concat('+', digits(change)) : digits(change);
}

std::string format_duration(nanoseconds duration) {
  return with_rounding(duration, Rounding::kNearest);
}

std::string format_age(nanoseconds age) { return with_rounding(age, Rounding::kUp); }

std::string format_time(Instant time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  char text[32];
  std::snprintf(text, sizeof text, "%04d-%02u-%02u ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  return text + format_time_of_day(time);
}

std::string format_time_to_second(Instant time) { return format_time(time).substr(0, 19); }

std::string format_time_of_day(Instant time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::milliseconds>(time - day));
  char text[32];
  std::snprintf(text, sizeof text, "%02d:%02d:%02d.%03d", static_cast<int>(clock.hours().count()),
                static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()),
                static_cast<int>(clock.subseconds().count()));
  return text;
}

}  // namespace stockctl
