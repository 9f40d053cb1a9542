// stockd: reads its configuration, starts the service, and waits for a signal.
#include <pthread.h>

#include <csignal>
#include <ctime>
#include <iostream>

#include "absl/synchronization/mutex.h"
#include "stock/config/config.h"
#include "stock/telemetry/build_info.h"
#include "stock/telemetry/log.h"
#include "stockd/service.h"

namespace {

constexpr int kExitFailure = 1;
constexpr int kExitUsage = 2;
constexpr timespec kLookAfterInterval{0, 250'000'000};

// Signals are waited for by the main thread; blocked here, they are blocked in all others.
sigset_t block_signals() {
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return stop;
}

}  // namespace

int main(int argc, char** argv) {
  // gRPC's mutexes: where Abseil was built with assertions, as Debian's is, each of them is looked
  // for in a graph of all at every turn.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  const auto loaded = stock::config::load(argc, argv, stock::config::process_environment(),
                                          stock::telemetry::build_info().version);
  if (!loaded.ok()) {
    std::cerr << loaded.status().message() << '\n';
    return kExitUsage;
  }
  if (loaded->text) {
    std::cout << *loaded->text;
    return 0;
  }
  stock::telemetry::init_log(stock::telemetry::parse_log_level(loaded->config.log_level)
                                 .value_or(stock::telemetry::LogLevel::kInfo));

  const sigset_t stop = block_signals();
  stockd::Service service(loaded->config);
  if (const auto status = service.start(); !status.ok()) {
    stock::telemetry::log_error("cannot start", {{"error", std::string(status.message())}});
    return kExitFailure;
  }
  int signal = -1;
  while (signal < 0) {
    service.look_after();
    signal = sigtimedwait(&stop, nullptr, &kLookAfterInterval);
  }
  stock::telemetry::log_info("stopping", {{"signal", signal}});
  service.stop();
  stock::telemetry::log_info("stopped");
  return 0;
}
