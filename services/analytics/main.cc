// analytics: reads its settings, wires the parts, and waits for a signal.
#include <pthread.h>

#include <csignal>
#include <ctime>
#include <iostream>
#include <string>
#include <vector>

#include "analytics/consumer.h"
#include "analytics/settings.h"
#include "analytics/witness.h"
#include "stock/admin/server.h"
#include "stock/clock/local_clock.h"
#include "stock/clock/timer_thread.h"
#include "stock/clock/wall_clock.h"
#include "stock/telemetry/build_info.h"
#include "stock/telemetry/log.h"
#include "stock/telemetry/process_metrics.h"

namespace {

using stock::admin::Check;
using stock::telemetry::log_error;
using stock::telemetry::log_info;

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

stock::postgres::SessionOptions session_options(const analytics::Settings& settings) {
  return {.url = settings.database_url,
          .application_name = "analytics " + settings.instance,
          .statement_timeout = std::chrono::seconds(10),
          .hang_limit = std::chrono::seconds(12)};
}

std::vector<Check> checks(const analytics::Consumer& consumer) {
  const analytics::Consumer::State state = consumer.state();
  return {{.name = "stream", .ok = state.streaming, .detail = state.stream_error},
          {.name = "database", .ok = state.counting, .detail = state.database_error}};
}

void add_position_age(stock::telemetry::Metrics& metrics, const analytics::Consumer& consumer,
                      const analytics::Witness& witness, const stock::clock::LocalClock& clock) {
  metrics.gauge_callback(
      "analytics_position_age_seconds",
      "How far the rollups are behind the ledger. While no position is known: since the start.", {},
      [&consumer, &witness, &clock, began = clock.now()] {
        const auto watermark = consumer.state().watermark;
        if (!watermark) return std::chrono::duration<double>(clock.now() - began).count();
        return std::chrono::duration<double>(witness.age(*watermark)).count();
      });
}

// Until a signal, or until it cannot go on.
int run(const analytics::Settings& settings, const sigset_t& stop) {
  const stock::clock::BootClock clock;
  stock::clock::TimerThread timers(clock);
  stock::telemetry::Metrics metrics;
  stock::telemetry::add_process_metrics(metrics);
  stock::telemetry::add_build_info(metrics);
  analytics::Counters counters(metrics);
  stock::postgres::Session counting(session_options(settings), clock, timers);
  stock::postgres::Session testifying(session_options(settings), clock, timers);
  analytics::Consumer consumer({.stock_address = settings.stock_address}, counting, counters,
                               clock);
  analytics::Witness witness({.stock_address = settings.stock_address,
                              .instance = settings.instance,
                              .interval = settings.testify},
                             testifying, counters, clock);
  add_position_age(metrics, consumer, witness, clock);
  stock::admin::Server admin({.host = settings.admin_listen.host,
                              .port = settings.admin_listen.port,
                              .metrics = [&metrics] { return metrics.expose(); },
                              .checks = [&consumer] { return checks(consumer); }});
  if (const auto status = admin.start(); !status.ok()) {
    log_error("cannot start", {{"error", std::string(status.message())}});
    return kExitFailure;
  }
  consumer.start();
  if (settings.testify.count() > 0) witness.start();
  log_info("started", {{"stock_address", settings.stock_address},
                       {"admin_port", static_cast<int>(admin.port())},
                       {"instance", settings.instance},
                       {"version", stock::telemetry::build_info().version}});
  int signal = -1;
  while (signal < 0) {
    if (const auto failure = consumer.failure()) {
      log_error("cannot go on", {{"error", *failure}});
      return kExitFailure;
    }
    signal = sigtimedwait(&stop, nullptr, &kLookAfterInterval);
  }
  log_info("stopping", {{"signal", signal}});
  admin.stop();
  witness.stop();
  consumer.stop();
  log_info("stopped");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const auto loaded = analytics::load(argc, argv);
  if (!loaded.ok()) {
    std::cerr << loaded.status().message() << '\n';
    return kExitUsage;
  }
  if (loaded->text) {
    std::cout << *loaded->text;
    return 0;
  }
  stock::telemetry::init_log(stock::telemetry::parse_log_level(loaded->settings.log_level)
                                 .value_or(stock::telemetry::LogLevel::kInfo));
  return run(loaded->settings, block_signals());
}
