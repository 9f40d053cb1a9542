#pragma once

// What was built, with what, and how: for `--version`, the log, and `stock_build_info`.

#include <string_view>

#include "stock/telemetry/metrics.h"

namespace stock::telemetry {

struct BuildInfo {
  std::string_view version;     // "0.1.0"
  std::string_view compiler;    // "gcc 12.2.0"
  std::string_view build_type;  // "release"
};

BuildInfo build_info();

// `stock_build_info{version,compiler,build_type} 1`.
void add_build_info(Metrics& metrics);

}  // namespace stock::telemetry
