// All parts of one process and how they hang together, declared in the order in which they depend
// on each other: this reads like the architecture. service.cc starts and stops them.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stock/admin/server.h"
#include "stock/clock/database_clock.h"
#include "stock/clock/local_clock.h"
#include "stock/clock/timer_thread.h"
#include "stock/config/config.h"
#include "stock/drift/auditor.h"
#include "stock/drift/examiner.h"
#include "stock/drift/incident_board.h"
#include "stock/drift/incident_keeper.h"
#include "stock/drift/key_inbox.h"
#include "stock/drift/moved_keys.h"
#include "stock/drift/read_sample.h"
#include "stock/drift/repairer.h"
#include "stock/drift/self_test.h"
#include "stock/drift/testimony_desk.h"
#include "stock/drift/testimony_keeper.h"
#include "stock/feed/attention.h"
#include "stock/feed/hub.h"
#include "stock/feed/ledger_identity.h"
#include "stock/feed/tail.h"
#include "stock/feed/view.h"
#include "stock/flags/flagd_client.h"
#include "stock/layers/breaker.h"
#include "stock/layers/catalogue_path.h"
#include "stock/layers/flag_forks.h"
#include "stock/layers/flag_reader.h"
#include "stock/layers/flights.h"
#include "stock/layers/location_directory.h"
#include "stock/layers/read_path.h"
#include "stock/layers/setting_keeper.h"
#include "stock/layers/switch.h"
#include "stock/ledger/lanes.h"
#include "stock/ledger/sweeper.h"
#include "stock/memory/memory_layer.h"
#include "stock/postgres/database_layer.h"
#include "stock/postgres/delta_store.h"
#include "stock/postgres/feed_source.h"
#include "stock/postgres/heart.h"
#include "stock/postgres/history_desk.h"
#include "stock/postgres/hold_store.h"
#include "stock/postgres/incident_desk.h"
#include "stock/postgres/incident_store.h"
#include "stock/postgres/ledger_history.h"
#include "stock/postgres/ledger_store.h"
#include "stock/postgres/location_store.h"
#include "stock/postgres/pool.h"
#include "stock/postgres/request_store.h"
#include "stock/postgres/setting_store.h"
#include "stock/postgres/testimony_store.h"
#include "stock/redis/redis_layer.h"
#include "stock/rpc/drift_handlers.h"
#include "stock/rpc/json_gateway.h"
#include "stock/rpc/server.h"
#include "stock/rpc/stock_handlers.h"
#include "stock/telemetry/metrics.h"
#include "stockd/drift_metrics.h"
#include "stockd/flag_metrics.h"
#include "stockd/news.h"
#include "stockd/observers.h"
#include "stockd/tallies.h"
#include "stockd/testimony_metrics.h"
#include "stockd/testimony_relay.h"

namespace stockd {

using namespace stock;  // NOLINT(google-build-using-namespace): this is where all rooms meet

// Keys that wait for the auditor: those that moved, and about how many of those that are read
// between two of its passes.
inline constexpr std::size_t kMovedKeys = 4096;
inline constexpr std::size_t kReadKeys = 128;
// And keys of open incidents, which are looked at again.
inline constexpr std::size_t kSuspectKeys = 256;
// An auditor that has not finished a pass for its interval and this long says so itself.
inline constexpr std::chrono::seconds kAuditIsLate{5};

// A remote layer as the read path sees it: behind a breaker, batched and bounded.
struct Guarded {
  Guarded(layers::Layer& layer, const clock::LocalClock& clock, clock::Timers& timers,
          const config::Config& config, layers::Flights::Options options)
      : flights(layer, clock, timers, bounded(config, options)),
        breaker(flights, clock,
                {.failures = static_cast<int>(config.breaker_failures),
                 .open_for = config.breaker_open,
                 .timeout = options.timeout,
                 .overdue = [this] { return flights.overdue(); }}) {}
  // What has waited for half of its time can still be answered.
  static layers::Flights::Options bounded(const config::Config& config,
                                          layers::Flights::Options options) {
    options.target_wait =
        std::min<std::chrono::nanoseconds>(config.overload_wait, options.timeout / 2);
    return options;
  }
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

std::vector<domain::Flag> flags_of(const config::Config& config);

// What a cohort is to see, where there is a flag service.
struct Flags {
  Flags(const config::Config& config, const clock::LocalClock& clock, clock::Timers& timers,
        telemetry::Metrics& exported)
      : metrics(exported, flags_of(config), clock),
        client(std::make_unique<flags::FlagdClient>(
            flags::FlagdOptions{.address = config.flags_address, .flags = flags_of(config)}, clock,
            timers)),
        reader({.timeout = config.flags_timeout,
                .when_down = config.flags_down == config::FlagsDown::kUnflagged
                                 ? layers::FlagReader::WhenDown::kUnflagged
                                 : layers::FlagReader::WhenDown::kLastKnown,
                .capacity = static_cast<std::size_t>(config.flags_capacity)},
               *client, clock, timers, metrics),
        forks(flags_of(config), config.cohorts, reader),
        rooms{.reader = reader,
              .forks = forks,
              .flags = flags_of(config),
              .cohorts = config.cohorts} {
    metrics.watch(reader, forks);
  }
  ~Flags() {
    reader.stop();
    client.reset();
  }
  FlagMetrics metrics;
  std::unique_ptr<flags::FlagdClient> client;
  layers::FlagReader reader;
  layers::FlagForks forks;
  rpc::FlagRooms rooms;
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

// What one of the lanes writes with.
struct WriteLane {
  WriteLane(const postgres::SessionOptions& options, const clock::LocalClock& clock,
            clock::Timers& timers, feed::LedgerIdentity& identity)
      : session(postgres::LedgerStore::for_writing(options), clock, timers),
        store(session, identity) {}
  postgres::Session session;
  postgres::LedgerStore store;
};

// Each uses only what stands above it.
struct Parts {
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

  // What the auditor looks at before its turn comes.
  drift::MovedKeys moved_keys{kMovedKeys, clock};
  drift::ReadSample read_sample{kReadKeys, clock};
  drift::KeyInbox suspects{kSuspectKeys};

  // What is out of step.
  drift::IncidentBoard incident_board;

  // What is counted.
  telemetry::Metrics metrics;
  ReadMetrics read_metrics;
  WriteMetrics write_metrics;
  DriftMetrics drift_metrics;
  SelfTestMetrics self_test_metrics;
  IncidentMetrics incident_metrics;
  TestimonyMetrics testimony_metrics;
  CallMetrics call_metrics;
  FeedMetrics feed_metrics;

  // The layers' switches, also of layers that are not configured. (The primary's stays on.)
  layers::Switch memory_power{"memory", [this] {
                                // What it held is of before.
                                if (memory) memory->clear();
                              }};
  layers::Switch redis_power{"redis"};
  layers::Switch replica_power{"replica"};
  layers::Switch primary_power{"primary"};

  // The layers, nearest first; those that are configured.
  std::optional<memory::MemoryLayer> memory;
  std::optional<Cache> redis;
  std::optional<Database> replica;
  Database primary;
  std::vector<std::unique_ptr<layers::Switched>> switched;  // those that can be switched off

  // Reading.
  layers::ReadPath reads;
  layers::CataloguePath catalogue;
  layers::LocationDirectory directory;

  // Writing.
  News news{view};
  std::vector<std::unique_ptr<WriteLane>> lanes;
  ledger::Lanes writes;
  postgres::LocationStore locations;
  postgres::RequestStore requests;
  std::optional<postgres::Heart> heart;
  postgres::DeltaStore deltas;
  postgres::Session hold_session;
  postgres::HoldStore holds;
  std::optional<ledger::Sweeper> sweeper;

  // Following the ledger.
  postgres::FeedSource feed_source;
  std::optional<feed::Tail> tail;

  // Auditing.
  postgres::Session audit_session;
  postgres::LedgerHistory history;
  std::optional<memory::PeekLayer> peek;
  std::vector<layers::Layer*> asked_beside;
  postgres::Session incident_session;
  postgres::IncidentStore incident_store;
  std::optional<drift::IncidentKeeper> incidents;

  // Operating.
  postgres::Session setting_session;
  postgres::SettingStore setting_store;
  layers::SettingKeeper settings;
  Tallies tallies;
  RepairMetrics repair_metrics;
  drift::Repairer repairer;
  std::optional<drift::Auditor> auditor;
  std::optional<drift::SelfTest> self_test;
  postgres::Pool inspections;
  postgres::HistoryDesk desk;
  postgres::IncidentDesk incident_desk;
  drift::Examiner examiner;

  // Hearing witnesses outside. What is heard goes to the listeners, which are there first.
  TestimonyRelay testimony_relay;
  postgres::Session testimony_session;
  postgres::TestimonyStore testimony_store;
  std::optional<drift::TestimonyKeeper> testimony_keeper;
  std::unique_ptr<postgres::Pool> judges;
  postgres::HistoryDesk judging;
  drift::TestimonyDesk testimonies;

  // What cohorts see.
  std::optional<Flags> flags;

  // Serving.
  rpc::StockHandlers handlers;
  rpc::DriftHandlers drift_handlers;
  rpc::Server server;
  std::optional<rpc::JsonGateway> gateway;  // once the server has started
  std::optional<admin::Server> admin;

  // Whether a database can answer within the default bound; asked by look_after().
  std::atomic<bool> probing{false};
  mutable std::mutex probe_mutex;
  bool reads_work = false;
  std::string probe_error = "not asked yet";
  // Whether the primary was ever one that may be used; and else why not.
  bool primary_known = false;
  std::string primary_error;

  std::vector<std::unique_ptr<WriteLane>> make_lanes(const config::Config& config);
  std::vector<layers::Stage> stages(const config::Config& config);
  layers::Switched& behind(layers::Switch& power, layers::Layer& layer, layers::Fillable* fill);
  std::vector<layers::Shelf> shelves(const config::Config& config);
  std::vector<layers::Layer*> witnesses(const config::Config& config);
  [[nodiscard]] std::vector<drift::Witness> to_audit();
  std::vector<drift::BackDoor> back_doors(const config::Config& config);
  drift::IncidentKeeper::Options incident_options(const config::Config& config);
  drift::TestimonyDesk::Options testimony_options(const config::Config& config);
  drift::TestimonyKeeper::Options keeping_options(const config::Config& config);
  std::vector<std::string> copying(const config::Config& config);
  std::vector<drift::Repairer::Place> repair_places(const config::Config& config);
  layers::Switch& power(std::string_view layer);
  std::vector<const layers::Switch*> switches(const config::Config& config);
  const rpc::FlagRooms* make_flags(const config::Config& config);
  [[nodiscard]] bool up(std::string_view layer) const;
  void export_gauges(const config::Config& config);
};

}  // namespace stockd
