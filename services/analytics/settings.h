// What one process is told on its command line and in its environment: plain values, checked once.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "stock/config/endpoints.h"

namespace analytics {

struct Settings {
  std::string stock_address = "127.0.0.1:7070";
  std::string database_url;  // may hold a password
  stock::config::Address admin_listen{.host = "127.0.0.1", .port = 7072};
  std::string instance;                     // never empty once loaded
  std::chrono::milliseconds testify{5000};  // 0: not at all
  std::string log_level = "info";
};

struct Loaded {
  // Asked for in place of the service (--help, --version): for standard output.
  std::optional<std::string> text;
  Settings settings;
};

// A flag wins over the environment. An error is fit to be shown to the person who made it.
absl::StatusOr<Loaded> load(int argc, const char* const* argv);

}  // namespace analytics
