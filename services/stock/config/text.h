#pragma once

// Values of settings as people write them.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stock::config {

// "250ms", "5s", "2m", "1h": a whole number and a unit. Empty for anything else.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
std::string print_duration(std::chrono::milliseconds duration);

// "4MiB", "512KiB", "1GiB" or a plain number of bytes.
std::optional<std::int64_t> parse_bytes(std::string_view text);
std::string print_bytes(std::int64_t bytes);

std::optional<std::int64_t> parse_number(std::string_view text);

// ASCII letters only.
std::string upper_case(std::string_view text);
std::string lower_case(std::string_view text);

// The parts between commas, without blanks around them; at least one.
std::vector<std::string_view> split(std::string_view text);

// A TOML basic string.
std::string quoted(std::string_view text);

// The candidate that `name` is probably a misspelling of; empty if none is near.
std::string_view nearest(std::string_view name, const std::vector<std::string_view>& candidates);

// "2%", "0.5%": from 0 to 100.
std::optional<double> parse_percent(std::string_view text);

}  // namespace stock::config
