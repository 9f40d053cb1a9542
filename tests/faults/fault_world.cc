#include "faults/fault_world.h"

#include <fmt/format.h>

#include <cstdlib>
#include <iostream>
#include <random>
#include <utility>

#include "faults/ghost.h"
#include "support/eventually.h"
#include "support/fsck.h"
#include "support/history_record.h"
#include "support/http.h"
#include "support/ledger_reader.h"
#include "support/stock_client.h"

namespace stock::faults {

using domain::Key;
using support::Asked;
using support::eventually;
using support::Swarm;
using support::TcpGate;
using ::testing::Eq;

namespace {

constexpr std::chrono::milliseconds kMaxStaleness(2000);
constexpr std::uint64_t kAllIsWell = 150;  // answers before the faults, and after them

std::string behind(const TcpGate& gate, const std::string& role) {
  return fmt::format("postgresql://{}@127.0.0.1:{}/stock", role, gate.port());
}

bool has_feed(std::size_t number) { return number % 3 != 2; }

// Each stockd is another one: in the first, memory holds everything; in the second hardly anything,
// so that Redis and the replica are asked; the third has no feed, and dates copies by their stamps.
std::vector<std::string> flags_of(std::size_t number, const std::vector<std::string>& further) {
  std::vector<std::string> flags = {"--instance", fmt::format("stockd-{}", number),
                                    "--max-staleness", fmt::format("{}ms", kMaxStaleness.count()),
                                    // What fails is tried again soon: tests are short.
                                    "--breaker-open", "100ms", "--primary-timeout", "500ms",
                                    "--replica-timeout", "300ms", "--redis-timeout", "50ms",
                                    "--write-timeout", "400ms", "--primary-connections", "2",
                                    "--replica-connections", "2", "--drain-timeout", "2s",
                                    "--log-level", "warn", "--feed-slots", "1024"};
  if (number % 3 == 1) {
    flags.insert(flags.end(), {"--memory-capacity", "4", "--memory-shards", "1"});
  }
  if (!has_feed(number)) flags.insert(flags.end(), {"--feed", "off"});
  flags.insert(flags.end(), further.begin(), further.end());
  return flags;
}

std::uint64_t items_told(const auto& stream) {
  std::uint64_t told = 0;
  for (const auto& call : stream.calls) {
    for (const auto& message : call.messages) told += message.items.size();
  }
  return told;
}

}  // namespace

std::uint64_t fault_seed() {
  if (const char* given = std::getenv("STOCK_FAULTS_SEED")) return std::stoull(given);
  return std::random_device()() % 1'000'000;
}

FaultWorld::Figures& FaultWorld::Figures::operator+=(const Figures& more) {
  answers += more.answers;
  failures += more.failures;
  levels += more.levels;
  claims += more.claims;
  false_claims += more.false_claims;
  for (const auto& [layer, n] : more.levels_by_layer) levels_by_layer[layer] += n;
  for (const auto& [asked, n] : more.reads_by_asked) reads_by_asked[asked] += n;
  totals += more.totals;
  carts += more.carts;
  changes += more.changes;
  movements += more.movements;
  return *this;
}

std::string FaultWorld::Figures::text() const {
  std::string text = fmt::format("{} answers, {} failures, {} levels, {} claims, {} false", answers,
                                 failures, levels, claims, false_claims);
  for (const auto& [layer, n] : levels_by_layer) text += fmt::format(", {} from {}", n, layer);
  text += fmt::format("; {} totals, {} carts, {} changes watched, {} movements streamed", totals,
                      carts, changes, movements);
  return text;
}

FaultWorld::FaultWorld(const Options& options)
    : primary(std::make_unique<support::PostgresServer>()),
      replication(std::make_unique<TcpGate>(primary->port())),
      replica(std::make_unique<support::PostgresReplica>(replication->port())),
      redis(std::make_unique<support::RedisServer>()),
      seed(options.seed ? *options.seed : fault_seed()),
      options_(options) {
  primary->connect().exec("INSERT INTO stock.location (id) VALUES ('main'), ('north')");
  for (std::size_t i = 0; i < static_cast<std::size_t>(options_.stockds); ++i) {
    Member& member = members.emplace_back();
    member.primary = std::make_unique<TcpGate>(primary->port());
    member.replica = std::make_unique<TcpGate>(replica->port());
    member.redis = std::make_unique<TcpGate>(redis->port());
    member.stockd = std::make_unique<support::StockdProcess>(support::StockdProcess::Options{
        .primary_url = behind(*member.primary, "stock_writer"),
        .replica_url = behind(*member.replica, "stock_reader"),
        .redis_url = fmt::format("redis://127.0.0.1:{}", member.redis->port()),
        .flags = flags_of(i, options_.flags),
        // Started again while its lines are cut, it is not ready before somebody mends them.
        .await = support::StockdProcess::Await::kAlive});
  }
}

support::PostgresServer& FaultWorld::serving_primary() {
  return replica_serves_ ? *replica : *primary;
}

Swarm::Options FaultWorld::swarm_options() {
  ++runs_;
  keys.clear();
  // The last four are the first four's SKUs, elsewhere.
  for (int i = 0; i < 16; ++i) {
    keys.push_back(
        {fmt::format("r{}-{}", runs_, i % 12), (i % 4 == 0) == (i < 12) ? "north" : "main"});
  }
  Swarm::Options swarm{.seed = seed * 31 + static_cast<std::uint64_t>(runs_),
                       .clients = options_.clients,
                       .writes = options_.writes,
                       .keys = keys,
                       .locations = {"main", "north"},
                       .max_staleness = kMaxStaleness,
                       .primary_url = [this] { return serving_primary().url("postgres"); }};
  for (int i = 0; i < 24; ++i)
    swarm.intruders_keys.push_back({fmt::format("i{}-{}", runs_, i), "main"});
  for (std::size_t i = 0; i < members.size(); ++i) {
    swarm.addresses.push_back(members[i].stockd->address());
    if (has_feed(i)) swarm.stream_addresses.push_back(members[i].stockd->address());
  }
  return swarm;
}

void FaultWorld::run(const std::function<void(Swarm&)>& faults) {
  SCOPED_TRACE(fmt::format("STOCK_FAULTS_SEED={}", seed));
  swarm_ = std::make_unique<Swarm>(swarm_options());
  await_answers(kAllIsWell);
  {
    const std::unique_ptr<Ghost> ghost =
        options_.haunted ? std::make_unique<Ghost>(redis->port(), seed) : nullptr;
    faults(*swarm_);
    await_recovery();
    await_answers(kAllIsWell);
  }
  await_answers(kAllIsWell);
  await_incidents_as_recorded();
  figures.answers += swarm_->answered();
  figures.failures += swarm_->failed();
  judge(swarm_->stop());
  swarm_.reset();
}

void FaultWorld::await_answers(std::uint64_t more) { EXPECT_TRUE(swarm_->await_answers(more)); }

void FaultWorld::await_calls(std::uint64_t more) { EXPECT_TRUE(swarm_->await_calls(more)); }

void FaultWorld::await_recovery() {
  for (const Member& member : members) {
    support::StockClient client(member.stockd->address());
    client.set_deadline(std::chrono::seconds(2));
    EXPECT_TRUE(eventually([&] { return client.adjust("recovered", "main", 1).message; }, Eq("")));
    EXPECT_TRUE(eventually([&] {
      const auto read = client.get("recovered", "main", support::fully_consistent());
      return read.ok() && !read.response.provenance().bound_missed();
    }));
  }
}

void FaultWorld::await_incidents_as_recorded() {
  support::Sql sql = serving_primary().connect();
  for (const Member& member : members) {
    support::StockClient client(member.stockd->address());
    const auto surplus = [&] {
      std::int64_t open = 0;
      const auto answer = client.layers();
      for (const auto& report : answer.response.layers()) {
        open += report.costs().open_incidents();
      }
      return open - sql.number(
                        "SELECT count(DISTINCT (id, split_part(witness, '@', 1)))"
                        " FROM stock.incident, unnest(witnesses) AS witness"
                        " WHERE closed_at IS NULL");
    };
    EXPECT_TRUE(eventually(surplus, Eq(0)));
  }
}

void FaultWorld::expect_nobody_accused() {
  for (const Member& member : members) {
    std::string page;
    const auto counted = [&](const std::string& metric, const std::string& label = "") {
      return support::metric_total(page, metric, label);
    };
    EXPECT_TRUE(eventually([&] {
      const double before = counted("stock_divergence_checks_total");
      page = member.stockd->get("/metrics").body;
      return before > 0 && counted("stock_divergence_checks_total") > before;
    }));
    for (const char* lie : {"misdated", "never_true", "wrong_count", "ahead"}) {
      EXPECT_EQ(counted("stock_divergence_checks_total", fmt::format("verdict=\"{}\"", lie)), 0)
          << lie;
    }
    EXPECT_EQ(counted("stock_selftest_false_accusations_total"), 0);
    EXPECT_EQ(counted("stock_selftest_lies_total", "outcome=\"missed\""), 0);
  }
  EXPECT_THAT(serving_primary().connect().query(
                  "SELECT layer, verdict, sku, claim_version, truth_version, witnesses"
                  " FROM stock.incident WHERE verdict <> 'stale'"),
              testing::IsEmpty());
}

void FaultWorld::each(const std::function<void(Member&)>& change) {
  for (Member& member : members) change(member);
}

void FaultWorld::fail_over() {
  primary->kill9();
  failed_over_ = support::boot_time();
  replica_serves_ = true;
  replica->connect().exec("SELECT pg_promote()");
  EXPECT_TRUE(
      eventually([&] { return replica->connect().value("SELECT pg_is_in_recovery()"); }, Eq("f")));
  each([&](Member& member) { member.primary->point_to(replica->port()); });
}

// Sessions call themselves after their instance; the lock is called "stockwit".
Member* FaultWorld::leader() {
  const auto names = serving_primary().connect().query(
      "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid)"
      " WHERE locktype = 'advisory' AND granted AND classid = x'73746f63'::int"
      " AND objid = x'6b776974'::int");
  for (std::size_t i = 0; i < members.size(); ++i) {
    for (const auto& name : names) {
      if (name[0].find(fmt::format("stockd-{}", i)) != std::string::npos) return &members[i];
    }
  }
  return nullptr;
}

void FaultWorld::judge(support::History history) {
  for (const support::ReadOp& read : history.reads) {
    ++figures.reads_by_asked[read.asked];
    for (const support::Statement& said : read.levels) ++figures.levels_by_layer[said.layer];
    figures.totals += read.totals.size();
    figures.carts += read.cart.empty() ? 0 : 1;
  }
  for (const auto& watch : history.watches) figures.changes += items_told(watch);
  for (const auto& stream : history.movement_streams) figures.movements += items_told(stream);
  std::vector<support::Era> eras;
  support::Sql sql = serving_primary().connect();
  if (failed_over_) {
    primary->start();  // alone: nobody is pointed to it any more
    support::Sql old = primary->connect();
    eras.push_back({.ledger = support::read_ledger(old), .ended = failed_over_});
  }
  eras.push_back({.ledger = support::read_ledger(sql)});
  support::expect_sound_ledger(serving_primary());
  // Layers grow old here, and are given old copies; none says what never was, unless a failover has
  // taken it back.
  if (!failed_over_) {
    EXPECT_THAT(sql.query("SELECT layer, verdict, sku, claim_version, truth_version, witnesses"
                          " FROM stock.incident WHERE verdict <> 'stale'"),
                testing::IsEmpty());
  }
  const support::Verdict verdict = support::check_history(history, eras);
  EXPECT_EQ(verdict.offences_total, 0u) << verdict.text();
  EXPECT_GT(verdict.claims, verdict.answers);
  figures.levels += verdict.levels;
  figures.claims += verdict.claims;
  figures.false_claims += verdict.offences_total;
}

}  // namespace stock::faults
