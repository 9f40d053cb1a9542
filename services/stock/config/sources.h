#pragma once

// Where settings are written down: a file and the environment. (Flags: command_line.h.)

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "stock/config/config.h"
#include "stock/config/settings.h"

namespace stock::config {

struct Value {
  std::string text;
  std::string source;  // "file stockd.toml, line 3", "env STOCKD_LISTEN", "flag --listen"
};

using Values = std::map<std::string, Value, std::less<>>;  // by key

// What to say of a name that is none of `known`.
std::string unknown_name(std::string_view what, std::string_view name,
                         const std::vector<std::string_view>& known);

// A flat TOML file. Unknown keys, sections, and values of another shape are errors; all are told.
absl::StatusOr<Values> read_file(const std::string& path, const std::vector<Setting>& table);

// Unknown STOCKD_ variables are errors, but for `kConfigVariable`, which names the file.
absl::StatusOr<Values> read_environment(const Environment& environment,
                                        const std::vector<Setting>& table);

inline constexpr std::string_view kConfigVariable = "STOCKD_CONFIG";

}  // namespace stock::config
