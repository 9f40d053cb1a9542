#include "stockctl/text/parse.h"

#include <charconv>
#include <string>

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
  if (!absl::ParseDuration(std::string(text), &duration) || duration <= absl::ZeroDuration() ||
      duration > absl::Hours(24 * 365)) {
    return std::nullopt;
  }
  return absl::ToChronoNanoseconds(duration);
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
