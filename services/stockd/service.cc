#include "stockd/service.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "stock/clock/database_clock.h"
#include "stock/clock/local_clock.h"
#include "stock/clock/timer_thread.h"
#include "stock/config/endpoints.h"
#include "stock/drift/auditor.h"
#include "stock/feed/attention.h"
#include "stock/feed/hub.h"
#include "stock/feed/ledger_identity.h"
#include "stock/feed/tail.h"
#include "stock/feed/view.h"
#include "stock/layers/breaker.h"
#include "stock/layers/catalogue_path.h"
#include "stock/layers/flights.h"
#include "stock/layers/location_directory.h"
#include "stock/layers/read_path.h"
#include "stock/ledger/batcher.h"
#include "stock/memory/memory_layer.h"
#include "stock/postgres/database_layer.h"
#include "stock/postgres/delta_store.h"
#include "stock/postgres/feed_source.h"
#include "stock/postgres/heart.h"
#include "stock/postgres/ledger_history.h"
#include "stock/postgres/ledger_store.h"
#include "stock/postgres/location_store.h"
#include "stock/postgres/pool.h"
#include "stock/postgres/request_store.h"
#include "stock/postgres/schema.h"
#include "stock/redis/redis_layer.h"
#include "stock/rpc/server.h"
#include "stock/rpc/stock_handlers.h"
#include "stock/telemetry/build_info.h"
#include "stock/telemetry/log.h"
#include "stock/telemetry/metrics.h"
#include "stock/telemetry/process_metrics.h"
#include "stockd/observers.h"

namespace stockd {

using namespace stock;  // NOLINT(google-build-using-namespace): this file is where all rooms meet

namespace {

// A statement that its server does not end is cut off after this much more than its timeout.
constexpr std::chrono::milliseconds kHangMargin{1000};

postgres::SessionOptions session_options(const config::Config& config, const std::string& url,
                                         std::chrono::milliseconds timeout) {
  return {.url = url,
          .application_name = "stockd " + config.instance,
          .statement_timeout = timeout,
          .hang_limit = 2 * timeout + kHangMargin};
}

absl::Status check_database(postgres::Session& session, feed::LedgerIdentity& identity) {
  const absl::Status schema = postgres::check_schema(session);
  return schema.ok() ? postgres::check_ledger(session, identity) : schema;
}

// A remote layer as the read path sees it: behind a breaker, batched and bounded.
struct Guarded {
  Guarded(layers::Layer& layer, const clock::LocalClock& clock, clock::Timers& timers,
          const config::Config& config, layers::Flights::Options options)
      : flights(layer, clock, timers, options),
        breaker(flights, clock,
                {.failures = static_cast<int>(config.breaker_failures),
                 .open_for = config.breaker_open,
                 .timeout = options.timeout}) {}
  layers::Flights flights;
  layers::Breaker breaker;
};

// One database, as a layer and as a catalogue.
struct Database {
  Database(postgres::Role role, const postgres::SessionOptions& session, std::size_t connections,
           const clock::LocalClock& clock, clock::Timers& timers, postgres::Knowledge knowledge,
           const config::Config& config, std::chrono::milliseconds timeout)
      : pool(std::make_unique<postgres::Pool>(
            postgres::Pool::Options{.session = session, .connections = connections}, clock,
            timers)),
        layer(role, *pool, timers, knowledge),
        guarded(layer, clock, timers, config,
                {.max_flights = static_cast<int>(connections),
                 .max_batch = static_cast<int>(config.read_batch),
                 .timeout = timeout}) {}
  std::unique_ptr<postgres::Pool> pool;
  postgres::DatabaseLayer layer;
  Guarded guarded;
};

struct Cache {
  Cache(redis::RedisOptions options, const feed::LedgerIdentity& identity,
        const clock::LocalClock& clock, clock::Timers& timers, const config::Config& config)
      : layer(std::make_unique<redis::RedisLayer>(std::move(options), identity)),
        guarded(*layer, clock, timers, config,
                {.max_flights = static_cast<int>(config.redis_flights),
                 .max_batch = static_cast<int>(config.redis_batch),
                 .timeout = config.redis_timeout}) {}
  std::unique_ptr<redis::RedisLayer> layer;
  Guarded guarded;
};

redis::RedisOptions redis_options(const config::Config& config) {
  const auto endpoint = config::parse_redis_url(config.redis_url).value();  // validated by load()
  return {.host = endpoint.address.host,
          .port = endpoint.address.port,
          .user = endpoint.user,
          .password = endpoint.password,
          .db = endpoint.database,
          .ttl = config.redis_ttl,
          .timeout = config.redis_timeout,
          .on_connection = [](bool connected, const std::string& why) {
            if (connected) {
              telemetry::log_info("redis is connected");
            } else {
              telemetry::log_warn("redis is not connected", {{"error", why}});
            }
          }};
}

postgres::Heart::Options heart_options(const config::Config& config) {
  return {.session = session_options(config, config.primary_url, config.primary_timeout),
          .heartbeat_interval = config.heartbeat_interval,
          .pulse_interval = config.pulse_interval,
          .pulse = !config.feed,
          .on_change = [](const postgres::Heart::State& state) {
            telemetry::log_info("the primary's state has changed",
                                {{"reachable", state.primary_reachable},
                                 {"leader", state.leads},
                                 {"error", state.error}});
          }};
}

rpc::Server::Options server_options(const config::Config& config) {
  return {.address = fmt::format("{}:{}", config.listen.host, config.listen.port),
          .max_message_bytes = static_cast<int>(config.max_message_bytes),
          .max_concurrent_streams = static_cast<int>(config.max_concurrent_streams),
          .max_connection_age = config.max_connection_age,
          .keepalive_time = config.keepalive_time,
          .max_streams = static_cast<std::size_t>(config.max_streams)};
}

}  // namespace

// Declared in the order in which they depend on each other: each uses only what stands above it.
struct Service::Parts {
  explicit Parts(const config::Config& config);

  // Time, and what is known of the ledger.
  clock::BootClock clock;
  clock::TimerThread timers{clock};
  clock::DatabaseClock database_clock{clock};
  feed::LedgerIdentity identity;
  postgres::Knowledge knowledge{clock, database_clock, identity};
  feed::View view;
  feed::Attention attention;
  feed::Hub hub;

  // What is counted.
  telemetry::Metrics metrics;
  ReadMetrics read_metrics;
  WriteMetrics write_metrics;
  DriftMetrics drift_metrics;
  CallMetrics call_metrics;
  FeedMetrics feed_metrics;

  // The layers, nearest first; those that are configured.
  std::optional<memory::MemoryLayer> memory;
  std::optional<Cache> redis;
  std::optional<Database> replica;
  Database primary;

  // Reading.
  layers::ReadPath reads;
  layers::CataloguePath catalogue;
  layers::LocationDirectory directory;

  // Writing.
  postgres::Session write_session;
  postgres::LedgerStore store;
  ledger::Batcher writes;
  postgres::LocationStore locations;
  postgres::RequestStore requests;
  std::optional<postgres::Heart> heart;
  postgres::DeltaStore deltas;

  // Following the ledger.
  postgres::FeedSource feed_source;
  std::optional<feed::Tail> tail;

  // Auditing.
  postgres::Session audit_session;
  postgres::LedgerHistory history;
  std::optional<memory::PeekLayer> peek;
  std::optional<drift::Auditor> auditor;

  // Serving.
  rpc::StockHandlers handlers;
  rpc::Server server;
  std::optional<admin::Server> admin;

  // Whether a database can answer within the default bound; asked by look_after().
  std::atomic<bool> probing{false};
  mutable std::mutex probe_mutex;
  bool reads_work = false;
  std::string probe_error = "not asked yet";
  bool schema_known = false;
  std::string schema_error;

  std::vector<layers::Stage> stages(const config::Config& config);
  std::vector<layers::Shelf> shelves(const config::Config& config);
  std::vector<layers::Layer*> witnesses(const config::Config& config);
  void export_gauges(const config::Config& config);
};

Service::Parts::Parts(const config::Config& config)
    : view(config.feed ? static_cast<std::size_t>(config.feed_slots) : 0),
      read_metrics(metrics, config.layers),
      write_metrics(metrics),
      drift_metrics(metrics, config.layers, clock),
      call_metrics(metrics, clock),
      feed_metrics(metrics, clock),
      primary(postgres::Role::kPrimary,
              session_options(config, config.primary_url, config.primary_timeout),
              static_cast<std::size_t>(config.primary_connections), clock, timers, knowledge,
              config, config.primary_timeout),
      reads(stages(config), clock, database_clock, identity, view, attention, read_metrics),
      catalogue(shelves(config), clock, database_clock, identity),
      directory(catalogue, timers, database_clock, identity),
      write_session(postgres::LedgerStore::for_writing(
                        session_options(config, config.primary_url, config.write_timeout)),
                    clock, timers),
      store(write_session, identity),
      writes({.max_requests = static_cast<std::size_t>(config.write_batch),
              .max_queue = static_cast<std::size_t>(config.write_queue)},
             store, clock, write_metrics),
      locations(*primary.pool, timers),
      requests(*primary.pool, timers, knowledge, config.primary_timeout),
      deltas(*primary.pool, timers, knowledge),
      feed_source({.session = session_options(config, config.primary_url, config.primary_timeout)},
                  knowledge, timers),
      audit_session(session_options(config, config.primary_url, config.primary_timeout), clock,
                    timers),
      history(audit_session, knowledge),
      handlers({.reads = reads,
                .catalogue = catalogue,
                .directory = directory,
                .writes = writes,
                .locations = locations,
                .requests = requests,
                .identity = identity,
                .hub = config.feed ? &hub : nullptr,
                .deltas = deltas,
                .attention = attention,
                .clock = clock,
                .database_clock = database_clock,
                .instance = config.instance,
                .max_staleness = config.max_staleness,
                .write_timeout = config.write_timeout}),
      server(server_options(config), clock, call_metrics) {
  handlers.attach(server);
  telemetry::add_process_metrics(metrics);
  telemetry::add_build_info(metrics);
  export_gauges(config);
}

std::vector<layers::Stage> Service::Parts::stages(const config::Config& config) {
  std::vector<layers::Stage> stages;
  for (const std::string& name : config.layers) {
    if (name == "memory") {
      memory.emplace(
          memory::MemoryOptions{.capacity = static_cast<std::size_t>(config.memory_capacity),
                                .shards = static_cast<std::size_t>(config.memory_shards)},
          view);
      stages.push_back({.layer = &*memory, .fill = &*memory, .judged = true});
    } else if (name == "redis") {
      redis.emplace(redis_options(config), identity, clock, timers, config);
      stages.push_back({.layer = &redis->guarded.breaker, .fill = redis->layer.get()});
    } else if (name == "replica") {
      replica.emplace(postgres::Role::kReplica,
                      session_options(config, config.replica_url, config.replica_timeout),
                      static_cast<std::size_t>(config.replica_connections), clock, timers,
                      knowledge, config, config.replica_timeout);
      stages.push_back({.layer = &replica->guarded.breaker});
    } else {
      stages.push_back({.layer = &primary.guarded.breaker, .authoritative = true});
    }
  }
  return stages;
}

std::vector<layers::Shelf> Service::Parts::shelves(const config::Config& config) {
  std::vector<layers::Shelf> shelves;
  if (replica) {
    shelves.push_back({.database = &replica->layer, .timeout = config.replica_timeout});
  }
  shelves.push_back({.database = &primary.layer, .timeout = config.primary_timeout});
  return shelves;
}

// The layers as the auditor asks them: beside the read path, so that looking at a copy neither
// refreshes it nor saves it from being evicted.
std::vector<layers::Layer*> Service::Parts::witnesses(const config::Config& config) {
  std::vector<layers::Layer*> witnesses;
  for (const std::string& name : config.layers) {
    if (name == "memory") {
      witnesses.push_back(&peek.emplace(*memory));
    } else if (name == "redis") {
      witnesses.push_back(redis->layer.get());
    } else if (name == "replica") {
      witnesses.push_back(&replica->layer);
    } else {
      witnesses.push_back(&primary.layer);
    }
  }
  return witnesses;
}

void Service::Parts::export_gauges(const config::Config& config) {
  const auto up = [&](const std::string& layer, std::function<bool()> is_up) {
    metrics.gauge_callback("stock_layer_up", "Whether a layer can be asked: 1, or 0.",
                           {{"layer", layer}},
                           [is_up = std::move(is_up)] { return is_up() ? 1.0 : 0.0; });
  };
  const auto guarded = [&](const std::string& layer, const Guarded& parts) {
    const telemetry::Labels labels = {{"layer", layer}};
    metrics.gauge_callback("stock_layer_breaker_open",
                           "Whether a layer is left alone because it kept failing: 1, or 0.",
                           labels, [&parts] { return parts.breaker.closed() ? 0.0 : 1.0; });
    metrics.gauge_callback("stock_layer_waiting_keys", "Keys that wait for a read of a layer.",
                           labels, [&parts] { return parts.flights.waiting(); });
    metrics.gauge_callback("stock_layer_flights", "Reads of a layer under way.", labels,
                           [&parts] { return parts.flights.under_way(); });
  };
  const auto pool = [&](const std::string& layer, const postgres::Pool& connections,
                        std::int64_t size) {
    const telemetry::Labels labels = {{"layer", layer}};
    metrics.gauge("stock_pool_size", "Connections to a database that there can be.", labels)
        .set(static_cast<double>(size));
    metrics.gauge_callback("stock_pool_connections", "Connections to a database.", labels,
                           [&connections] { return connections.stats().connections_up; });
    metrics.gauge_callback("stock_pool_busy", "Connections to a database in use.", labels,
                           [&connections] { return connections.stats().busy; });
    metrics.gauge_callback("stock_pool_queued", "Statements that wait for a connection.", labels,
                           [&connections] { return connections.stats().queued; });
  };
  if (memory) {
    const telemetry::Labels labels = {{"layer", "memory"}};
    up("memory", [] { return true; });
    metrics.gauge_callback("stock_layer_entries", "Copies that a layer holds.", labels,
                           [this] { return memory->stats().entries; });
    metrics.gauge("stock_layer_capacity_entries", "Copies that a layer can hold.", labels)
        .set(static_cast<double>(config.memory_capacity));
    metrics.counter_callback("stock_layer_evictions_total", "Copies that made room for others.",
                             labels, [this] { return memory->stats().evictions; });
  }
  if (redis) {
    up("redis", [this] { return redis->layer->stats().connected; });
    guarded("redis", redis->guarded);
    const auto offers = [&](const std::string& outcome, auto count) {
      metrics.counter_callback("stock_layer_offers_total",
                               "Copies offered to a layer, by what became of them.",
                               {{"layer", "redis"}, {"outcome", outcome}},
                               [this, count] { return count(redis->layer->stats()); });
    };
    offers("stored", [](const redis::RedisStats& stats) { return stats.offers_stored; });
    offers("dropped", [](const redis::RedisStats& stats) { return stats.offers_dropped; });
    offers("failed", [](const redis::RedisStats& stats) { return stats.offers_failed; });
  }
  if (replica) {
    up("replica", [this] { return replica->pool->stats().connections_up > 0; });
    guarded("replica", replica->guarded);
    pool("replica", *replica->pool, config.replica_connections);
  }
  up("primary", [this] { return heart && heart->state().primary_reachable; });
  guarded("primary", primary.guarded);
  pool("primary", *primary.pool, config.primary_connections);

  metrics.gauge_callback("stock_leader",
                         "Whether this process is the one that writes heartbeats: 1, or 0.", {},
                         [this] { return heart && heart->state().leads ? 1.0 : 0.0; });
  const auto begun = [&](const std::string& cause, auto count) {
    metrics.counter_callback(
        "stock_incarnations_begun_total",
        "Histories of the ledger that this process began, by cause: new (there "
        "was none, as after a crash or a promotion), or clock_set_back.",
        {{"cause", cause}}, [this, count] { return heart ? count(heart->state()) : 0; });
  };
  begun("new", [](const postgres::Heart::State& state) { return state.begun_anew; });
  begun("clock_set_back", [](const postgres::Heart::State& state) { return state.begun_by_clock; });
  metrics.gauge_callback(
      "stock_clock_offset_seconds",
      "Database time minus the time since this machine started: its changes are what matters.", {},
      [this] {
        const auto estimate = database_clock.estimate(clock.now());
        return estimate ? std::chrono::duration<double>(estimate->offset).count() : 0.0;
      });
  metrics.gauge_callback("stock_clock_uncertainty_seconds",
                         "How wrong the offset can be; infinite while it is not known.", {},
                         [this] {
                           const auto estimate = database_clock.estimate(clock.now());
                           return estimate ? std::chrono::duration<double>(estimate->error).count()
                                           : std::numeric_limits<double>::infinity();
                         });
  if (view.has_feed()) {
    metrics.gauge_callback(
        "stock_feed_watermark_timestamp_seconds",
        "Database time through which the feed has been applied; 0: not begun.", {}, [this] {
          return std::chrono::duration<double>(view.watermark().stamp.time_since_epoch()).count();
        });
  }
  metrics.gauge_callback("stock_watchers", "Streams that watch levels or read movements.", {},
                         [this] { return server.streams(); });
  metrics.counter_callback("stock_watch_changes_total",
                           "Changes put before watchers: one per change and watcher.", {},
                           [this] { return hub.stats().changes; });
  metrics.counter_callback("stock_watch_conflated_total",
                           "Changes that watchers never saw, since a newer one of the key came "
                           "before they had read it.",
                           {}, [this] { return hub.stats().conflated; });
  metrics.gauge_callback("stock_write_queue_length", "Writes that wait for a batch.", {},
                         [this] { return writes.queue_length(); });
  metrics.gauge("stock_write_queue_capacity", "Writes that can wait for a batch.")
      .set(static_cast<double>(config.write_queue));
}

Service::Service(const config::Config& config)
    : config_(config), parts_(std::make_unique<Parts>(config)) {}

Service::~Service() { stop(); }

absl::Status Service::start() {
  Parts& parts = *parts_;
  {
    postgres::Session session(
        session_options(config_, config_.primary_url, config_.primary_timeout), parts.clock,
        parts.timers);
    absl::Status schema = check_database(session, parts.identity);
    if (absl::IsFailedPrecondition(schema)) return schema;
    parts.schema_known = schema.ok();
    if (!schema.ok()) {
      telemetry::log_warn("the primary cannot be reached yet; trying on",
                          {{"error", std::string(schema.message())}});
    }
  }
  parts.heart.emplace(heart_options(config_), parts.knowledge, parts.timers);
  if (config_.feed) {
    std::vector<feed::Listener*> listeners;
    if (parts.memory) listeners.push_back(&*parts.memory);
    listeners.push_back(&parts.hub);
    parts.tail.emplace(feed::Tail::Options{.interval = config_.feed_interval,
                                           .idle_interval = config_.feed_idle_interval},
                       parts.feed_source, parts.view, std::move(listeners), parts.attention,
                       parts.clock, parts.database_clock, parts.feed_metrics);
  }
  if (config_.audit_keys > 0) {
    parts.auditor.emplace(
        drift::Auditor::Options{.interval = config_.audit_interval,
                                .keys_per_pass = static_cast<int>(config_.audit_keys),
                                .patience = config_.primary_timeout},
        parts.witnesses(config_), parts.history, parts.database_clock, parts.clock,
        parts.drift_metrics);
  }
  parts.admin.emplace(admin::Options{.host = config_.admin_listen.host,
                                     .port = config_.admin_listen.port,
                                     .metrics = [&parts] { return parts.metrics.expose(); },
                                     .checks = [this] { return checks(); }});
  if (auto status = parts.admin->start(); !status.ok()) return status;
  if (auto status = parts.server.start(); !status.ok()) return status;
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
  if (!parts.schema_known && parts.heart->state().primary_reachable) {
    postgres::Session session(
        session_options(config_, config_.primary_url, config_.primary_timeout), parts.clock,
        parts.timers);
    const absl::Status schema = check_database(session, parts.identity);
    const std::lock_guard lock(parts.probe_mutex);
    parts.schema_known = schema.ok();
    const std::string error(schema.message());
    if (absl::IsFailedPrecondition(schema) && error != parts.schema_error) {
      telemetry::log_error("the database's schema is not the one that is needed",
                           {{"error", error}});
    }
    parts.schema_error = error;
  }
  if (parts.probing.exchange(true)) return;
  const layers::ReadContext context{.deadline = parts.clock.now() + config_.primary_timeout};
  parts.catalogue.locations({.limit = 1}, {.max_age = config_.max_staleness}, context,
                            [&parts](const layers::Listing<layers::LocationPage>& listing) {
                              const bool works = listing.page.ok();
                              bool serving = false;
                              {
                                const std::lock_guard lock(parts.probe_mutex);
                                serving = works && parts.schema_known;
                              }
                              // First, so that whoever sees /readyz is served.
                              parts.server.health().set("", serving);
                              parts.server.health().set(rpc::kStockService, serving);
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
                      .ok = parts.schema_known,
                      .required = true,
                      .detail = parts.schema_known           ? ""
                                : parts.schema_error.empty() ? "not known yet"
                                                             : parts.schema_error});
  }
  const auto state = parts.heart->state();
  checks.push_back(
      {.name = "primary", .ok = state.primary_reachable, .required = false, .detail = state.error});
  if (parts.replica) {
    const bool up = parts.replica->pool->stats().connections_up > 0;
    checks.push_back(
        {.name = "replica", .ok = up, .required = false, .detail = up ? "" : "no connection"});
  }
  if (parts.redis) {
    const bool up = parts.redis->layer->stats().connected;
    checks.push_back(
        {.name = "redis", .ok = up, .required = false, .detail = up ? "" : "no connection"});
  }
  return checks;
}

// From the outside in: first the callers, then what they need, then what that needs.
void Service::stop() {
  if (!parts_) return;
  Parts& parts = *parts_;
  parts.server.drain(config_.drain_timeout);
  parts.writes.stop(parts.clock.now() + config_.write_timeout);
  parts.auditor.reset();
  parts.admin.reset();
  parts.attention.stop();
  parts.feed_source.stop();
  parts.tail.reset();
  parts.heart.reset();
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
