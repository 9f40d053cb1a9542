#include "stockd/service.h"

#include <algorithm>
#include <map>
#include <string>
#include <thread>
#include <utility>

#include "stock/telemetry/build_info.h"
#include "stock/telemetry/log.h"
#include "stockd/parts.h"
#include "stockd/room_options.h"

namespace stockd {
namespace {

// The share of the time that the auditor takes while nothing moves and nobody reads.
constexpr double kIdleAuditBudget = 0.5;

}  // namespace

Service::Service(const config::Config& config)
    : config_(config), parts_(std::make_unique<Parts>(config)) {}

Service::~Service() { stop(); }

absl::Status Service::start() {
  Parts& parts = *parts_;
  {
    absl::Status accepted = check_sessions(config_, parts.knowledge, parts.timers);
    if (accepted.ok()) {
      postgres::Session session(
          session_options(config_, parts.identity, config_.primary_url, config_.primary_timeout),
          parts.clock, parts.timers);
      accepted = session.connect();
    }
    if (absl::IsFailedPrecondition(accepted)) return accepted;
    parts.primary_known = accepted.ok();
    if (!accepted.ok()) {
      telemetry::log_warn("the primary cannot be reached yet; trying on",
                          {{"error", std::string(accepted.message())}});
    }
  }
  parts.settings.start();
  parts.heart.emplace(heart_options(config_, parts.identity), parts.knowledge, parts.timers);
  parts.sweeper.emplace(
      ledger::Sweeper::Options{.patience = config_.write_timeout,
                               .leads = [&parts] { return parts.heart->state().leads; },
                               .failed =
                                   [](const std::string& error) {
                                     telemetry::log_warn(
                                         "holds cannot be looked for, or not be counted",
                                         {{"error", error}});
                                   }},
      parts.holds, parts.writes, parts.clock);
  if (config_.feed) {
    std::vector<feed::Listener*> listeners;
    if (parts.memory) listeners.push_back(&*parts.memory);
    listeners.push_back(&parts.hub);
    listeners.push_back(&parts.moved_keys);
    parts.tail.emplace(feed::Tail::Options{.interval = config_.feed_interval,
                                           .idle_interval = config_.feed_idle_interval},
                       parts.feed_source, parts.view, std::move(listeners), parts.attention,
                       parts.clock, parts.database_clock, parts.feed_metrics);
  }
  parts.incidents.emplace(parts.incident_options(config_), parts.incident_store,
                          parts.incident_board, parts.suspects, parts.database_clock, parts.clock,
                          parts.incident_metrics);
  parts.testimony_keeper.emplace(parts.keeping_options(config_), parts.testimony_store,
                                 parts.clock);
  parts.testimony_relay.begin({&*parts.incidents, &*parts.testimony_keeper});
  if (config_.audit_budget > 0) {
    const double budget = config_.audit_budget / 100;
    const drift::Auditor::Options options{.interval = config_.audit_interval,
                                          .budget = budget,
                                          .idle_budget = std::max(budget, kIdleAuditBudget),
                                          .patience = config_.primary_timeout,
                                          .leads = [&parts] { return parts.heart->state().leads; }};
    parts.auditor.emplace(options, parts.to_audit(),
                          drift::Auditor::Sources{.moved = parts.moved_keys.inbox(),
                                                  .read = parts.read_sample,
                                                  .suspects = &parts.suspects},
                          parts.history, parts.database_clock, parts.clock, parts.drift_metrics,
                          std::vector<drift::Auditor::Listener*>{&*parts.incidents});
    if (config_.selftest) {
      parts.self_test.emplace(
          drift::SelfTest::Options{.patience = config_.audit_interval + kAuditIsLate,
                                   .auditor = options},
          parts.back_doors(config_), parts.identity, parts.database_clock, parts.clock,
          parts.self_test_metrics);
    }
  }
  if (parts.flags) parts.flags->reader.start();
  if (auto status = parts.server.start(); !status.ok()) return status;
  parts.gateway.emplace(parts.server.in_process(), config_.primary_timeout);
  const auto answer = [](rpc::JsonGateway::Answer answer) {
    return admin::JsonAnswer{.status = answer.status, .body = std::move(answer.json)};
  };
  admin::ConsoleChange change;
  if (config_.console_changes) {
    change = [&parts, answer](const std::string& method, const std::string& request) {
      return answer(parts.gateway->change(method, request));
    };
  }
  parts.admin.emplace(
      admin::Options{.host = config_.admin_listen.host,
                     .port = config_.admin_listen.port,
                     .metrics = [&parts] { return parts.metrics.expose(); },
                     .checks = [this] { return checks(); },
                     .console =
                         [&parts, answer](const std::string& method,
                                          const std::map<std::string, std::string>& fields) {
                           return answer(parts.gateway->ask(method, fields));
                         },
                     .change = std::move(change),
                     .flags = parts.flags.has_value()});
  if (auto status = parts.admin->start(); !status.ok()) return status;
  telemetry::log_info("listening", {{"address", config_.listen.host},
                                    {"port", parts.server.port()},
                                    {"admin_port", static_cast<int>(parts.admin->port())},
                                    {"instance", config_.instance},
                                    {"version", telemetry::build_info().version}});
  return absl::OkStatus();
}

// What works is found out by doing it: a small listing within the default bound, which any database
// that is fresh enough can answer.
void Service::look_after() {
  Parts& parts = *parts_;
  if (!parts.primary_known) {
    const postgres::Heart::State heart = parts.heart->state();
    absl::Status usable = absl::UnavailableError(heart.error);
    if (heart.primary_reachable) usable = check_sessions(config_, parts.knowledge, parts.timers);
    const std::lock_guard lock(parts.probe_mutex);
    parts.primary_known = usable.ok();
    const std::string error(usable.message());
    if (!error.empty() && error != parts.primary_error) {
      telemetry::log_warn("the primary is not in use yet", {{"error", error}});
    }
    parts.primary_error = error;
  }
  if (parts.probing.exchange(true)) return;
  const layers::ReadContext context{.deadline = parts.clock.now() + config_.primary_timeout};
  parts.catalogue.locations({.limit = 1}, {.max_age = config_.max_staleness}, context,
                            [&parts](const layers::Listing<layers::LocationPage>& listing) {
                              const bool works = listing.page.ok();
                              bool serving = false;
                              {
                                const std::lock_guard lock(parts.probe_mutex);
                                serving = works && parts.primary_known;
                              }
                              // First, so that whoever sees /readyz is served.
                              parts.server.health().set("", serving);
                              parts.server.health().set(rpc::kStockService, serving);
                              parts.server.health().set(rpc::kDriftService, serving);
                              {
                                const std::lock_guard lock(parts.probe_mutex);
                                parts.reads_work = works;
                                parts.probe_error = std::string(listing.page.status().message());
                              }
                              parts.probing = false;
                            });
}

std::vector<admin::Check> Service::checks() const {
  const Parts& parts = *parts_;
  std::vector<admin::Check> checks;
  {
    const std::lock_guard lock(parts.probe_mutex);
    checks.push_back({.name = "reads",
                      .ok = parts.reads_work,
                      .required = true,
                      .detail = parts.reads_work ? "" : parts.probe_error});
    checks.push_back({.name = "schema",
                      .ok = parts.primary_known,
                      .required = true,
                      .detail = parts.primary_known           ? ""
                                : parts.primary_error.empty() ? "not known yet"
                                                              : parts.primary_error});
  }
  const auto state = parts.heart->state();
  checks.push_back(
      {.name = "primary", .ok = state.primary_reachable, .required = false, .detail = state.error});
  const bool audits = config_.audit_budget > 0;
  const std::string complaint =
      audits ? parts.drift_metrics.health().complaint() : "switched off by --audit-budget";
  checks.push_back({.name = "auditor",
                    .ok = !audits || complaint.empty(),
                    .required = false,
                    .detail = complaint});
  for (const std::string& layer : config_.layers) {
    if (layer == "primary") continue;
    const std::string off = parts_->power(layer).why_off();
    // Nothing is to say of memory, which is always there.
    if (layer == "memory" && off.empty()) continue;
    const bool up = parts.up(layer);
    checks.push_back({.name = layer,
                      .ok = up,
                      .required = false,
                      .detail = !off.empty() ? off
                                : up         ? ""
                                             : "no connection"});
  }
  if (parts.flags) {
    const bool up = parts.flags->reader.up();
    checks.push_back({.name = "flags",
                      .ok = up,
                      .required = false,
                      .detail = up ? "" : "the flag service does not answer"});
  }
  return checks;
}

// From the outside in: first the callers, then what they need, then what that needs.
void Service::stop() {
  if (!parts_) return;
  Parts& parts = *parts_;
  const domain::LocalTime began = parts.clock.now();
  const auto tell = [&](const char* what) {
    telemetry::log_info(
        what, {{"seconds", std::chrono::duration<double>(parts.clock.now() - began).count()}});
  };
  if (parts.gateway) parts.gateway->close();
  parts.server.drain(config_.drain_timeout);
  if (parts.flags) parts.flags->reader.stop();
  tell("all calls have ended");
  parts.writes.stop(parts.clock.now() + config_.write_timeout);
  tell("all writes have ended");
  // Scrapes ask what is gone from here on.
  parts.admin.reset();
  if (parts.auditor) parts.auditor->stop();
  // Whoever still waits to be judged is answered. What was judged last is kept, if that can be.
  parts.judges.reset();
  parts.testimony_relay.begin({});
  if (!parts.heart || !parts.heart->state().primary_reachable) parts.testimony_session.stop();
  parts.testimony_keeper.reset();
  // What is asked of a database that has gone silent is given up, by all at once: waiting for one
  // after the other would add up.
  for (postgres::Session* session : {&parts.hold_session, &parts.setting_session,
                                     &parts.audit_session, &parts.incident_session}) {
    session->stop();
  }
  parts.attention.stop();
  parts.feed_source.stop();
  parts.sweeper.reset();
  parts.self_test.reset();
  parts.auditor.reset();
  parts.incidents.reset();
  parts.tail.reset();
  parts.heart.reset();
  tell("nobody asks the databases any more");
  // The last probe asks one database after the other; it ends by its deadline.
  while (parts.probing) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  // These answer everything that still waits for them, so they go before those who wait; nearest
  // first, because what one layer could not answer is asked of the next.
  if (parts.redis) parts.redis->layer.reset();
  if (parts.replica) parts.replica->pool.reset();
  parts.primary.pool.reset();
  parts_.reset();
}

}  // namespace stockd
