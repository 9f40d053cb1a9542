#pragma once

// Flags. The only file that includes CLI11 is command_line.cc.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "stock/config/settings.h"
#include "stock/config/sources.h"

namespace stock::config {

struct CommandLine {
  Values values;
  std::optional<std::string> file;  // --config
  std::optional<std::string> help;  // the text, where it was asked for
  bool version = false;
  bool print_config = false;
};

absl::StatusOr<CommandLine> read_command_line(int argc, const char* const* argv,
                                              const std::vector<Setting>& table);

}  // namespace stock::config
