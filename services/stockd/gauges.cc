// What the parts know of themselves, as metrics that are asked for at each scrape.
#include <limits>

#include "stockd/parts.h"

namespace stockd {

void Parts::export_gauges(const config::Config& config) {
  for (const std::string& layer : config.layers) {
    metrics.gauge_callback("stock_layer_up", "Whether a layer can be asked: 1, or 0.",
                           {{"layer", layer}}, [this, layer] { return up(layer) ? 1.0 : 0.0; });
    metrics.gauge_callback(
        "stock_layer_enabled", "Whether a layer is in use: 1; 0 where an operator has disabled it.",
        {{"layer", layer}}, [&power = power(layer)] { return power.on() ? 1.0 : 0.0; });
  }
  const auto guarded = [&](const std::string& layer, const Guarded& parts) {
    const telemetry::Labels labels = {{"layer", layer}};
    metrics.gauge_callback("stock_layer_breaker_open",
                           "Whether a layer is left alone because it kept failing: 1, or 0.",
                           labels, [&parts] { return parts.breaker.closed() ? 0.0 : 1.0; });
    metrics.gauge_callback("stock_layer_waiting_keys", "Keys that wait for a read of a layer.",
                           labels, [&parts] { return parts.flights.waiting(); });
    metrics.gauge_callback("stock_layer_waiting_limit_keys",
                           "Keys that may wait for a read of a layer, by how long they do.", labels,
                           [&parts] { return parts.flights.waiting_limit(); });
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
    metrics.gauge_callback("stock_layer_entries", "Copies that a layer holds.", labels,
                           [this] { return memory->stats().entries; });
    metrics.gauge("stock_layer_capacity_entries", "Copies that a layer can hold.", labels)
        .set(static_cast<double>(config.memory_capacity));
    metrics.counter_callback("stock_layer_evictions_total", "Copies that made room for others.",
                             labels, [this] { return memory->stats().evictions; });
  }
  if (redis) {
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
    guarded("replica", replica->guarded);
    pool("replica", *replica->pool, config.replica_connections);
  }
  guarded("primary", primary.guarded);
  pool("primary", *primary.pool, config.primary_connections);

  metrics.gauge_callback("stock_leader",
                         "Whether this process is the one that writes heartbeats: 1, or 0.", {},
                         [this] { return heart && heart->state().leads ? 1.0 : 0.0; });
  const auto begun = [&](const std::string& cause, auto count) {
    metrics.counter_callback(
        "stock_incarnations_begun_total",
        "Histories of the ledger that this process began, by cause: new (there "
        "was none, as after a crash or a promotion), or clock_set.",
        {{"cause", cause}}, [this, count] { return heart ? count(heart->state()) : 0; });
  };
  begun("new", [](const postgres::Heart::State& state) { return state.begun_anew; });
  begun("clock_set", [](const postgres::Heart::State& state) { return state.begun_by_clock; });
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
  metrics.counter_callback("stock_reservations_swept_total",
                           "Holds that had ended and that this process, as the leader, closed.", {},
                           [this] { return sweeper ? sweeper->swept() : 0; });
  metrics.gauge_callback("stock_reservations_held",
                         "Reservations that hold stock for a time, as the leader last counted "
                         "them, up to a million; 0 where another one leads.",
                         {}, [this] { return sweeper ? sweeper->held() : 0; });
  metrics.gauge_callback("stock_write_queue_length", "Writes that wait for a batch.", {},
                         [this] { return writes.queue_length(); });
  metrics.gauge_callback("stock_write_queue_limit",
                         "Writes that may wait for a batch, by how long they do.", {},
                         [this] { return writes.queue_limit(); });
  metrics.gauge_callback("stock_testimony_queue_length", "Testimonies that wait to be judged.", {},
                         [this] { return testimonies.waiting(); });
  metrics.gauge("stock_testimony_queue_capacity", "Testimonies that can wait to be judged.")
      .set(static_cast<double>(config.testimony_queue));
  metrics.counter_callback("stock_testimonies_unkept_total",
                           "Testimonies that were judged and not kept: too many waited.", {},
                           [this] { return testimony_keeper ? testimony_keeper->dropped() : 0; });
  for (const std::string& witness : config.witnesses) {
    metrics.gauge_callback(
        "stock_testimonies_kept", "Testimonies that are kept, as the leader last counted them.",
        {{"layer", witness}},
        [this, witness] { return testimony_keeper ? testimony_keeper->rows(witness) : 0; });
    metrics.gauge_callback(
        "stock_testimony_skew_seconds", "How far clocks of a witness are known to be off, at most.",
        {{"layer", witness}}, [this, witness] {
          return std::chrono::duration<double>(testimonies.clocks().largest(witness)).count();
        });
  }
  metrics.gauge_callback("stock_audit_up",
                         "Whether the auditor does its work: 0 when it is switched off, cannot ask "
                         "the ledger, or has not finished a pass for too long.",
                         {}, [this, on = config.audit_budget > 0] {
                           return on && drift_metrics.health().complaint().empty() ? 1.0 : 0.0;
                         });
  metrics.gauge("stock_audit_budget_ratio", "Share of the time that the auditor may take.")
      .set(config.audit_budget / 100);
  metrics.gauge("stock_write_queue_capacity", "Writes that can wait for a batch.")
      .set(static_cast<double>(config.write_queue));
}

}  // namespace stockd
