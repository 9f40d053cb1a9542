#include "stockctl/text/parse.h"

#include <array>
#include <charconv>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "stockctl/text/concat.h"
#include "stockctl/text/utf8.h"

namespace stockctl {

absl::StatusOr<std::int64_t> parse_count(std::string_view text) {
  std::string_view number = text;
  if (number.size() > 1 && number[0] == '+' && number[1] != '-') number.remove_prefix(1);
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(number.begin(), number.end(), count);
  if (error == std::errc::invalid_argument || end != number.end()) {
    return absl::InvalidArgumentError(concat("\"", printable(text), "\" is not a whole number"));
  }
  if (error != std::errc() || count > kMaxCount || count < -kMaxCount) {
    return absl::InvalidArgumentError(concat(text, " is beyond 10^15"));
  }
  return count;
}

std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  absl::Duration duration;
  // Days are none of Abseil's units.
  std::int32_t days = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), days);
  if (error == std::errc() && days >= 0 && std::string_view(end, text.end()) == "d") {
    duration = days * absl::Hours(24);
  } else if (!absl::ParseDuration(std::string(text), &duration)) {
    return std::nullopt;
  }
  if (duration <= absl::ZeroDuration() || duration > absl::Hours(24 * 365 * 10)) {
    return std::nullopt;
  }
  return absl::ToChronoNanoseconds(duration);
}

namespace {

// "2 minutes", "1 hour": a whole number and a word.
std::optional<std::chrono::nanoseconds> parse_spoken_duration(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, std::chrono::seconds>, 4> kUnits = {{
      {"second", std::chrono::seconds(1)},
      {"minute", std::chrono::minutes(1)},
      {"hour", std::chrono::hours(1)},
      {"day", std::chrono::days(1)},
  }};
  const std::size_t space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  std::int32_t count = 0;
  const std::string_view number = text.substr(0, space);
  const auto [end, error] = std::from_chars(number.begin(), number.end(), count);
  if (error != std::errc() || end != number.end() || count < 0) return std::nullopt;
  std::string_view word = text.substr(space + 1);
  if (word.ends_with('s')) word.remove_suffix(1);
  for (const auto& [name, unit] : kUnits) {
    if (word == name) return count * std::chrono::nanoseconds(unit);
  }
  return std::nullopt;
}

}  // namespace

std::optional<Instant> parse_time(std::string_view text, Instant now) {
  constexpr std::string_view kAgo = " ago";
  if (text.ends_with(kAgo)) {
    text.remove_suffix(kAgo.size());
    auto duration = parse_duration(text);
    if (!duration) duration = parse_spoken_duration(text);
    if (!duration) return std::nullopt;
    return now - *duration;
  }
  const std::string today = format_time(now).substr(0, 10);
  const std::array<std::pair<const char*, std::string>, 5> forms = {{
      {absl::RFC3339_full, std::string(text)},
      {"%Y-%m-%d %H:%M:%E*S", std::string(text)},
      {"%Y-%m-%d %H:%M", std::string(text)},
      {"%Y-%m-%d %H:%M:%E*S", concat(today, " ", text)},
      {"%Y-%m-%d %H:%M", concat(today, " ", text)},
  }};
  for (std::size_t i = 0; i < forms.size(); ++i) {
    absl::Time time;
    std::string error;
    if (!absl::ParseTime(forms[i].first, forms[i].second, &time, &error)) continue;
    Instant instant(std::chrono::nanoseconds(absl::ToUnixNanos(time)));
    const bool of_any_day = i >= 3;
    if (of_any_day && instant > now) instant -= std::chrono::days(1);
    return instant;
  }
  return std::nullopt;
}

StockKey parse_key(std::string_view text, std::string_view location) {
  const std::size_t at = text.rfind('@');
  if (at == std::string_view::npos) return {std::string(text), std::string(location)};
  return {std::string(text.substr(0, at)), std::string(text.substr(at + 1))};
}

absl::StatusOr<KeyAndCount> parse_key_and_count(std::string_view text, std::string_view location) {
  const std::size_t equals = text.rfind('=');
  if (equals == std::string_view::npos) {
    return absl::InvalidArgumentError(
        concat("\"", printable(text), "\" is not like SKU=5 or SKU@LOCATION=5"));
  }
  const absl::StatusOr<std::int64_t> count = parse_count(text.substr(equals + 1));
  if (!count.ok()) return count.status();
  return KeyAndCount{.key = parse_key(text.substr(0, equals), location), .count = *count};
}

}  // namespace stockctl
