#include "support/stockd_process.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <utility>

#include "support/free_port.h"

namespace stock::support {

StockdProcess::StockdProcess(Options options) {
  std::vector<std::string> flags = std::move(options.flags);
  const auto add_url = [&flags](const char* flag, const std::string& url) {
    if (!url.empty()) {
      flags.insert(flags.end(), {flag, url});
    }
  };
  add_url("--primary-url", options.primary_url);
  add_url("--replica-url", options.replica_url);
  add_url("--redis-url", options.redis_url);
  const std::string ready_path = options.await == Await::kReady ? "/readyz" : "/healthz";

  start_first(
      {.name = "stockd",
       .command =
           [this, flags](std::uint16_t port) {
             if (admin_port_ == 0 || port != this->port()) {
               admin_port_ = free_port();
             }
             std::vector<std::string> command = {
                 STOCKD_PATH, "--listen", fmt::format("127.0.0.1:{}", port), "--admin-listen",
                 fmt::format("127.0.0.1:{}", admin_port_)};
             command.insert(command.end(), flags.begin(), flags.end());
             return command;
           },
       .ready = [this, ready_path](
                    std::uint16_t) { return http_get(admin_port_, ready_path).status == 200; },
       .environment = options.environment});
}

StockdProcess::~StockdProcess() {
  if (!process().running()) {
    // Ended by the test, in order or by SIGKILL; any other end is a crash.
    const int status = process().wait(std::chrono::milliseconds(0)).value_or(0);
    if (status != 0 && status != 128 + SIGKILL) {
      ADD_FAILURE() << "stockd crashed with status " << status << "; " << process().log_tail(100);
    }
    return;
  }
  sigcont();
  if (const int status = stop(); status != 0) {
    ADD_FAILURE() << "stockd ended with status " << status << "; " << process().log_tail(100);
  }
}

std::string StockdProcess::address() const { return fmt::format("127.0.0.1:{}", port()); }

}  // namespace stock::support
