#include "stockd/parts.h"

#include <utility>

#include "stock/telemetry/build_info.h"
#include "stock/telemetry/log.h"
#include "stock/telemetry/process_metrics.h"
#include "stockd/room_options.h"

namespace stockd {
namespace {

// What operators ask costs the primary two connections, and no more.
constexpr std::size_t kInspections = 2;
constexpr std::size_t kInspectionsWaiting = 8;

// Nor do testimonies that memory does not confirm cost more.
constexpr std::size_t kJudges = 2;

std::vector<std::reference_wrapper<ledger::Store>> stores_of(
    const std::vector<std::unique_ptr<WriteLane>>& lanes) {
  std::vector<std::reference_wrapper<ledger::Store>> stores;
  for (const auto& lane : lanes) stores.emplace_back(lane->store);
  return stores;
}

}  // namespace

Parts::Parts(const config::Config& config)
    : view(config.feed ? static_cast<std::size_t>(config.feed_slots) : 0),
      read_metrics(metrics, config.layers, read_sample),
      write_metrics(metrics),
      drift_metrics(metrics, config.layers, config.audit_interval + kAuditIsLate, clock),
      self_test_metrics(metrics, copying(config), clock),
      incident_metrics(metrics, config.layers, config.witnesses, incident_board, database_clock,
                       clock),
      testimony_metrics(metrics, config.witnesses),
      call_metrics(metrics, clock),
      feed_metrics(metrics, clock),
      primary(postgres::Role::kPrimary,
              session_options(config, identity, config.primary_url, config.primary_timeout),
              static_cast<std::size_t>(config.primary_connections), clock, timers, knowledge,
              config, config.primary_timeout),
      reads(stages(config), clock, database_clock, identity, view, attention, read_metrics),
      catalogue(shelves(config), clock, database_clock, identity),
      directory(catalogue, timers, database_clock, identity),
      lanes(make_lanes(config)),
      writes({.max_requests = static_cast<std::size_t>(config.write_batch),
              .max_queue = static_cast<std::size_t>(config.write_queue),
              .target_wait = config.overload_wait},
             stores_of(lanes), clock, write_metrics, &news),
      locations(*primary.pool, timers),
      requests(*primary.pool, timers, knowledge, config.primary_timeout),
      deltas(*primary.pool, timers, knowledge),
      hold_session(session_options(config, identity, config.primary_url, config.primary_timeout),
                   clock, timers),
      holds(hold_session),
      feed_source({.session = session_options(config, identity, config.primary_url,
                                              config.primary_timeout)},
                  knowledge, timers),
      audit_session(session_options(config, identity, config.primary_url, config.primary_timeout),
                    clock, timers),
      history(audit_session, knowledge),
      asked_beside(witnesses(config)),
      incident_session(
          session_options(config, identity, config.primary_url, config.primary_timeout), clock,
          timers),
      incident_store(incident_session),
      setting_session(session_options(config, identity, config.primary_url, config.primary_timeout),
                      clock, timers),
      setting_store(setting_session),
      settings(setting_options(), setting_store,
               {&memory_power, &redis_power, &replica_power, &primary_power}),
      tallies(config.layers, read_metrics, drift_metrics, incident_metrics,
              [this](std::string_view layer) { return up(layer); }),
      repair_metrics(metrics, copying(config)),
      repairer(repair_places(config), primary.layer, clock, repair_metrics),
      inspections(
          {.session = session_options(config, identity, config.primary_url, config.primary_timeout),
           .connections = kInspections,
           .queue = kInspectionsWaiting},
          clock, timers),
      desk(inspections, knowledge),
      incident_desk(inspections),
      examiner({.patience = config.primary_timeout}, asked_beside, desk, catalogue, repairer,
               database_clock, clock),
      testimony_relay(testimony_metrics),
      testimony_session(testimony_session_options(config, identity), clock, timers),
      testimony_store(testimony_session),
      judges(std::make_unique<postgres::Pool>(
          postgres::Pool::Options{.session = session_options(config, identity, config.primary_url,
                                                             config.primary_timeout),
                                  .connections = kJudges,
                                  .queue = kJudges},
          clock, timers)),
      judging(*judges, knowledge),
      testimonies(testimony_options(config), judging, identity, database_clock, clock,
                  {&testimony_relay}),
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
                .write_timeout = config.write_timeout,
                .flags = make_flags(config)}),
      drift_handlers(
          {.tallies = tallies,
           .switches = switches(config),
           .settings = settings,
           .examiner = examiner,
           .incidents = incident_desk,
           .incident_board = incident_board,
           .testimonies = testimonies,
           .refused = [this](rpc::TestimonyRefusal why,
                             std::int64_t count) { testimony_metrics.refused(why, count); },
           .database_clock = database_clock,
           .clock = clock,
           .started_at = clock.now(),
           .instance = config.instance,
           .reads = reads,
           .max_staleness = config.max_staleness,
           .flags = flags ? &flags->rooms : nullptr}),
      server(server_options(config), clock, call_metrics) {
  std::vector<layers::Fillable*> told;
  for (const layers::Stage& stage : reads.stages()) {
    if (stage.fill != nullptr) told.push_back(stage.fill);
  }
  news.tell(std::move(told));
  handlers.attach(server);
  drift_handlers.attach(server);
  telemetry::add_process_metrics(metrics);
  telemetry::add_build_info(metrics);
  export_gauges(config);
}

std::vector<std::unique_ptr<WriteLane>> Parts::make_lanes(const config::Config& config) {
  postgres::SessionOptions options =
      session_options(config, identity, config.primary_url, config.write_timeout);
  // Not longer: the server's limit does not cover what COMMIT waits for.
  options.hang_limit = config.write_timeout + kHangMargin;
  std::vector<std::unique_ptr<WriteLane>> made;
  for (std::int64_t i = 0; i < config.write_lanes; ++i) {
    made.push_back(std::make_unique<WriteLane>(options, clock, timers, identity));
  }
  return made;
}

std::vector<layers::Stage> Parts::stages(const config::Config& config) {
  std::vector<layers::Stage> stages;
  for (const std::string& name : config.layers) {
    if (name == "memory") {
      memory.emplace(
          memory::MemoryOptions{.capacity = static_cast<std::size_t>(config.memory_capacity),
                                .shards = static_cast<std::size_t>(config.memory_shards)},
          view);
      layers::Switched& layer = behind(memory_power, *memory, &*memory);
      stages.push_back({.layer = &layer, .fill = &layer, .judged = true});
    } else if (name == "redis") {
      redis.emplace(redis_options(config), identity, clock, timers, config);
      layers::Switched& layer = behind(redis_power, redis->guarded.breaker, redis->layer.get());
      stages.push_back({.layer = &layer, .fill = &layer});
    } else if (name == "replica") {
      replica.emplace(postgres::Role::kReplica,
                      session_options(config, identity, config.replica_url, config.replica_timeout),
                      static_cast<std::size_t>(config.replica_connections), clock, timers,
                      knowledge, config, config.replica_timeout);
      stages.push_back({.layer = &behind(replica_power, replica->guarded.breaker, nullptr)});
    } else {
      stages.push_back({.layer = &primary.guarded.breaker, .authoritative = true});
    }
  }
  return stages;
}

layers::Switched& Parts::behind(layers::Switch& power, layers::Layer& layer,
                                layers::Fillable* fill) {
  return *switched.emplace_back(std::make_unique<layers::Switched>(layer, fill, power));
}

layers::Switch& Parts::power(std::string_view layer) {
  if (layer == "memory") return memory_power;
  if (layer == "redis") return redis_power;
  if (layer == "replica") return replica_power;
  return primary_power;
}

std::vector<domain::Flag> flags_of(const config::Config& config) {
  std::vector<domain::Flag> flags;
  for (const config::FlagRule& rule : config.flags) {
    // Declared in the same order.
    flags.push_back({rule.flag, static_cast<domain::FlagEffect>(rule.effect)});
  }
  return flags;
}

const rpc::FlagRooms* Parts::make_flags(const config::Config& config) {
  if (config.flags_address.empty()) return nullptr;
  return &flags.emplace(config, clock, timers, metrics).rooms;
}

std::vector<const layers::Switch*> Parts::switches(const config::Config& config) {
  std::vector<const layers::Switch*> switches;
  for (const std::string& name : config.layers) switches.push_back(&power(name));
  return switches;
}

// Whether a layer can be asked, as far as is known.
bool Parts::up(std::string_view layer) const {
  if (layer == "redis") return redis->layer->stats().connected;
  if (layer == "replica") return replica->pool->stats().connections_up > 0;
  if (layer == "primary") return heart && heart->state().primary_reachable;
  return true;
}

std::vector<layers::Shelf> Parts::shelves(const config::Config& config) {
  std::vector<layers::Shelf> shelves;
  if (replica) {
    shelves.push_back({.database = &replica->layer,
                       .timeout = config.replica_timeout,
                       .power = &replica_power,
                       .breaker = &replica->guarded.breaker});
  }
  shelves.push_back({.database = &primary.layer,
                     .timeout = config.primary_timeout,
                     .breaker = &primary.guarded.breaker});
  return shelves;
}

// The layers as the auditor asks them: beside the read path, so that looking at a copy neither
// refreshes it nor saves it from being evicted.
std::vector<layers::Layer*> Parts::witnesses(const config::Config& config) {
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

std::vector<drift::Witness> Parts::to_audit() {
  std::vector<drift::Witness> witnesses;
  for (layers::Layer* layer : asked_beside) {
    witnesses.push_back({.layer = layer,
                         .shared = layer->name() != "memory",
                         .walkable = layer == &primary.layer ? &primary.layer : nullptr});
  }
  return witnesses;
}

// Of the layers that keep copies: what is planted there the auditor's own questions meet.
std::vector<drift::BackDoor> Parts::back_doors(const config::Config& config) {
  std::vector<drift::BackDoor> doors;
  for (const drift::Repairer::Place& place : repair_places(config)) {
    const auto asked = std::ranges::find(asked_beside, place.layer, &layers::Layer::name);
    doors.push_back({.layer = *asked,
                     .fill = place.fill,
                     .copies = place.copies,
                     .power = place.setting,
                     .redates = place.layer == "memory" && config.feed});
  }
  return doors;
}

drift::IncidentKeeper::Options Parts::incident_options(const config::Config& config) {
  std::vector<drift::IncidentKeeper::Witness> witnesses;
  for (const drift::Witness& witness : to_audit()) {
    witnesses.push_back({.layer = std::string(witness.layer->name()), .shared = witness.shared});
  }
  return {.witnesses = std::move(witnesses),
          .instance = config.instance,
          .max_staleness = config.max_staleness,
          .retention = config.incident_retention,
          .roster = config.witnesses,
          .leads = [this] { return heart->state().leads; },
          .recorded =
              [this, patience = config.primary_timeout](const std::string& layer,
                                                        std::span<const domain::Key> keys) {
                repairer.found_lying(layer, keys, clock.now() + patience);
              }};
}

drift::TestimonyDesk::Options Parts::testimony_options(const config::Config& config) {
  layers::Layer* const own = peek ? &*peek : nullptr;
  return {.roster = config.witnesses,
          .queue = static_cast<std::size_t>(config.testimony_queue),
          .judges = kJudges,
          // A few batches are before it, each of which may take so long.
          .timeout = 5 * config.primary_timeout,
          .memory = config.feed ? own : nullptr,
          .memory_in_use = [this] { return memory_power.on(); }};
}

drift::TestimonyKeeper::Options Parts::keeping_options(const config::Config& config) {
  return {.rows = config.testimony_rows,
          .leads = [this] { return heart->state().leads; },
          .failed =
              [](const absl::Status& why) {
                telemetry::log_warn("testimonies cannot be written; they wait",
                                    {{"error", std::string(why.message())}});
              }};
}

// The layers that hold copies of their own, which can be repaired.
std::vector<std::string> Parts::copying(const config::Config& config) {
  std::vector<std::string> names;
  for (const std::string& name : config.layers) {
    if (name == "memory" || name == "redis") names.push_back(name);
  }
  return names;
}

std::vector<drift::Repairer::Place> Parts::repair_places(const config::Config& config) {
  std::vector<drift::Repairer::Place> places;
  for (const std::string& name : copying(config)) {
    drift::Repairer::Place& place = places.emplace_back();
    place.layer = name;
    place.setting = &power(name);
    if (name == "memory") {
      place.copies = &*memory;
      place.fill = &*memory;
    } else {
      place.copies = redis->layer.get();
      place.fill = redis->layer.get();
    }
  }
  return places;
}

}  // namespace stockd
