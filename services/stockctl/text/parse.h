#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "stockctl/files/stock_key.h"
#include "stockctl/text/format.h"

namespace stockctl {

// A whole number between -10^15 and 10^15, such as "12", "+5" or "-3". Errors are worded to follow
// the name of what is parsed: `"6.5" is not a whole number`.
absl::StatusOr<std::int64_t> parse_count(std::string_view text);

// "250ms", "5s", "1m30s", "1h", "90d"; more than nothing, and at most ten years.
std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text);

// A past instant: RFC 3339 ("2026-11-24T02:07:00Z"), "2026-11-24 02:07[:00]" in UTC, "02:07[:00]"
// in UTC (the last time that a clock showed it), or "DURATION ago" ("90s ago", "2 minutes ago").
std::optional<Instant> parse_time(std::string_view text, Instant now);

// "SKU" or "SKU@LOCATION"; the last @ counts, so that a SKU may hold one. Without a location:
// `location`.
StockKey parse_key(std::string_view text, std::string_view location);

struct KeyAndCount {
  StockKey key;
  std::int64_t count;
};

// "SKU=5", "SKU@LOCATION=-3"; the last = counts.
absl::StatusOr<KeyAndCount> parse_key_and_count(std::string_view text, std::string_view location);

}  // namespace stockctl
