#pragma once

// The table of settings: each one once, with its name, help, limits, and how it is read and shown.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "stock/config/config.h"

namespace stock::config {

enum class Shape { kText, kNumber, kList };  // how the file writes it

struct Setting {
  std::string_view key;    // as the file names it: "primary_url"
  std::string_view group;  // the heading in the help and in --print-config
  std::string_view value;  // what the help calls its value: "DURATION"
  std::string_view help;
  std::string allowed = {};  // "from 1ms to 1h"; empty where the help says it
  Shape shape = Shape::kText;
  bool secret = false;  // may hold a password: never shown whole, not even in an error

  // Reads `text` into its member. The error says what is allowed and begins with "must".
  std::function<absl::Status(std::string_view text, Config&)> read = {};
  // The text that `read` takes back; a list is separated by commas.
  std::function<std::string(const Config&)> show = {};

  std::string flag() const;      // "--primary-url"
  std::string variable() const;  // "STOCKD_PRIMARY_URL"
};

inline constexpr std::string_view kVariablePrefix = "STOCKD_";

// In the order of the help, groups together.
std::vector<Setting> settings();

}  // namespace stock::config
