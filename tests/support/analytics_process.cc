#include "support/analytics_process.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace stock::support {

std::string analytics_path() { return ANALYTICS_PATH; }

AnalyticsProcess::AnalyticsProcess(const Options& options) {
  start_first(
      {.name = "analytics",
       .command =
           [options](std::uint16_t port) {
             std::vector<std::string> command = {
                 ANALYTICS_PATH,      "--admin-listen",      fmt::format("127.0.0.1:{}", port),
                 "--stock-address",   options.stock_address, "--database-url",
                 options.database_url};
             command.insert(command.end(), options.flags.begin(), options.flags.end());
             return command;
           },
       .ready = [](std::uint16_t port) { return http_get(port, "/healthz").status == 200; },
       .environment = {}});
}

AnalyticsProcess::~AnalyticsProcess() {
  if (!process().running()) {
    const int status = process().wait(std::chrono::milliseconds(0)).value_or(0);
    if (status != 0 && status != 128 + SIGKILL) {
      ADD_FAILURE() << "analytics ended with status " << status << "; " << process().log_tail(100);
    }
    return;
  }
  if (const int status = stop(); status != 0) {
    ADD_FAILURE() << "analytics ended with status " << status << "; " << process().log_tail(100);
  }
}

}  // namespace stock::support
