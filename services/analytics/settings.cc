#include "analytics/settings.h"

#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <array>
#include <sstream>
#include <string_view>

#include "stock/config/text.h"
#include "stock/telemetry/build_info.h"
#include "stock/telemetry/log.h"

namespace analytics {
namespace {

constexpr char kFooter[] =
    "A flag wins over the environment.\n"
    "\n"
    "Exit codes:\n"
    "  0  stopped by SIGTERM or SIGINT\n"
    "  1  cannot start, or cannot go on: the log says why\n"
    "  2  wrong usage\n";

std::string host_name() {
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) != 0) return "analytics";
  const std::string_view name = host.data();
  const std::string_view first = name.substr(0, std::min<std::size_t>(name.find('.'), 64));
  return first.empty() ? "analytics" : std::string(first);
}

absl::Status wrong(std::string_view option, std::string_view why) {
  return absl::InvalidArgumentError(std::string("analytics: ") + std::string(option) + " " +
                                    std::string(why) + "\nSee: analytics --help");
}

absl::Status check(Settings& settings, const std::string& admin_listen,
                   const std::string& testify) {
  if (!stock::config::parse_address(settings.stock_address).ok()) {
    return wrong("--stock-address", "must be HOST:PORT");
  }
  if (settings.database_url.empty()) {
    return wrong("--database-url", "is required (ANALYTICS_DATABASE_URL)");
  }
  if (const auto status = stock::config::check_postgres_url(settings.database_url); !status.ok()) {
    return wrong("--database-url", std::string(status.message()));
  }
  const auto address = stock::config::parse_address(admin_listen);
  if (!address.ok()) return wrong("--admin-listen", std::string(address.status().message()));
  settings.admin_listen = *address;
  const auto interval = stock::config::parse_duration(testify);
  if (!interval) return wrong("--testify-interval", "must be a duration such as 5s, or 0s");
  settings.testify = *interval;
  if (!stock::telemetry::parse_log_level(settings.log_level)) {
    return wrong("--log-level", "must be one of debug, info, warn, error");
  }
  if (settings.instance.empty() || settings.instance.size() > 64) {
    return wrong("--instance", "must be 1 to 64 bytes");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Loaded> load(int argc, const char* const* argv) {
  Loaded loaded;
  Settings& settings = loaded.settings;
  settings.instance = host_name();
  std::string admin_listen = settings.admin_listen.text();
  std::string testify = "5s";
  CLI::App app(
      "analytics: units sold per SKU, location and hour, counted exactly once from stockd's "
      "stream of movements, and testified to it",
      "analytics");
  app.get_formatter()->column_width(34);
  const auto add = [&](const char* name, std::string& value, const char* variable, const char* type,
                       const char* help) {
    app.add_option(name, value, help)->envname(variable)->type_name(type);
  };
  add("--stock-address", settings.stock_address, "ANALYTICS_STOCK_ADDRESS", "HOST:PORT",
      "Of stockd (default 127.0.0.1:7070)");
  add("--database-url", settings.database_url, "ANALYTICS_DATABASE_URL", "URL",
      "Of the database with schema analytics");
  add("--admin-listen", admin_listen, "ANALYTICS_ADMIN_LISTEN", "HOST:PORT",
      "/metrics, /healthz and /readyz (default 127.0.0.1:7072)");
  add("--instance", settings.instance, "ANALYTICS_INSTANCE", "NAME",
      "What it calls itself when it testifies (default: the host's name)");
  add("--testify-interval", testify, "ANALYTICS_TESTIFY_INTERVAL", "DURATION",
      "How often it testifies what has changed; 0s: never (default 5s)");
  add("--log-level", settings.log_level, "ANALYTICS_LOG_LEVEL", "LEVEL",
      "debug, info, warn or error (default info)");
  const std::string version = std::string(stock::telemetry::build_info().version);
  app.set_version_flag("--version", "analytics " + version, "Print the version");
  app.footer(kFooter);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) {
      return absl::InvalidArgumentError(std::string("analytics: ") + error.what() +
                                        "\nSee: analytics --help");
    }
    std::ostringstream text;
    app.exit(error, text, text);
    loaded.text = text.str();
    return loaded;
  }
  if (absl::Status status = check(settings, admin_listen, testify); !status.ok()) return status;
  return loaded;
}

}  // namespace analytics
