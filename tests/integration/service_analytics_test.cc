// services/analytics beside a real stockd: whatever ends it and whenever, what it has counted is
// what the ledger has.
#include <random>
#include <thread>

#include "analytics/witness.h"
#include "service_world.h"
#include "stock/clock/timer_thread.h"
#include "support/analytics_process.h"
#include "support/fake_testimony_server.h"
#include "support/tcp_gate.h"

namespace stock {
namespace {

using support::AnalyticsProcess;
using support::FakeTestimonyServer;
using support::Sql;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using Rows = std::vector<Sql::Row>;

double metric(const AnalyticsProcess& analytics, const std::string& series) {
  const std::string page = "\n" + analytics.get("/metrics").body;
  const auto at = page.find("\n" + series + " ");
  return at == std::string::npos ? -1 : std::stod(page.substr(at + series.size() + 2));
}

class ServiceAnalyticsTest : public ServiceTest {
 protected:
  static void SetUpTestSuite() {
    ServiceTest::SetUpTestSuite();
    stockd_ = std::make_unique<StockdProcess>(primary_only());
    client_ = std::make_unique<StockClient>(stockd_->address());
    for (const char* location : {"main", "north"}) client_->create_location(location);
    for (const char* sku : {"A", "B"}) {
      for (const char* location : {"main", "north"}) client_->adjust(sku, location, 1'000'000);
    }
  }
  static void TearDownTestSuite() {
    client_.reset();
    stockd_.reset();
    ServiceTest::TearDownTestSuite();
  }

  // Each test counts for itself.
  void SetUp() override {
    sql("TRUNCATE analytics.position, analytics.counted, analytics.sold");
    sell(1);  // so that there is something to agree on
  }

  static StockdProcess& stockd() { return *stockd_; }
  static void sql(const std::string& statements) { primary().connect().exec(statements); }

  // Two lines; other movements before and after.
  static void sell(int units) {
    v1::CreateReservationRequest reserve;
    for (const auto& [sku, location] : {std::pair("A", "main"), std::pair("B", "north")}) {
      v1::ReservedUnits& line = *reserve.add_lines();
      line.mutable_key()->set_sku(sku);
      line.mutable_key()->set_location(location);
      line.set_quantity(units);
    }
    reserve.mutable_ttl()->set_seconds(600);
    const auto reserved = client_->reserve(reserve);
    ASSERT_TRUE(reserved.ok()) << reserved.message;
    v1::CommitReservationRequest commit;
    commit.set_reservation_id(reserved.response.reservation().id());
    ASSERT_TRUE(client_->commit(commit).ok());
    v1::FulfillReservationRequest fulfill;
    fulfill.set_reservation_id(reserved.response.reservation().id());
    ASSERT_TRUE(client_->fulfill(fulfill).ok());
  }

  static AnalyticsProcess::Options options(std::vector<std::string> flags = {}) {
    return {.stock_address = stockd_->address(),
            .database_url = primary().url("analytics"),
            .flags = std::move(flags)};
  }

  // "A main 2026-11-24 02:00 12", in order.
  static Rows in_ledger() {
    return primary().connect().query(
        "SELECT sku, location, date_trunc('hour', pg_xact_commit_timestamp(xid::xid), 'UTC') AS h,"
        " sum(committed_delta) FROM stock.movement WHERE kind = 'COMMIT'"
        " GROUP BY sku, location, h ORDER BY sku, location, h");
  }
  static Rows in_rollups() {
    return primary().connect().query(
        "SELECT sku, location, hour, units FROM analytics.sold ORDER BY sku, location, hour");
  }
  static ::testing::AssertionResult agree() {
    const Rows ledger = in_ledger();
    return eventually(in_rollups, Eq(ledger));
  }
  static bool client_ready() { return client_->serving() && client_->adjust("C", "main", 1).ok(); }
  static std::int64_t sales_counted() {
    return primary().connect().number("SELECT count(*) FROM analytics.counted");
  }
  // A session of it hangs in a statement like this.
  static ::testing::AssertionResult hangs_in(const std::string& statement) {
    return eventually(
        [&] {
          return primary().connect().number(
              "SELECT count(*) FROM pg_stat_activity WHERE usename = 'analytics'"
              " AND wait_event_type = 'Lock' AND query ILIKE '%" +
              statement + "%'");
        },
        Ge(1));
  }
  // From now on the COMMIT of a transaction that has counted a sale waits for advisory lock 4711.
  static void stop_in_commit() {
    sql("CREATE FUNCTION analytics.wait() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_advisory_xact_lock_shared(4711); RETURN NULL; END';"
        "CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON analytics.counted"
        " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION analytics.wait()");
  }
  static void stop_no_more() { sql("DROP FUNCTION IF EXISTS analytics.wait() CASCADE"); }

 private:
  static inline std::unique_ptr<StockdProcess> stockd_;
  static inline std::unique_ptr<StockClient> client_;
};

TEST_F(ServiceAnalyticsTest, it_counts_what_was_sold_before_and_since) {
  sell(3);
  AnalyticsProcess analytics(options());
  EXPECT_TRUE(agree());
  sell(4);
  EXPECT_TRUE(agree());
  EXPECT_THAT(in_rollups(), Not(IsEmpty()));
  EXPECT_TRUE(eventually(
      [&] { return metric(analytics, "analytics_movements_total{outcome=\"counted\"}"); },
      Eq(static_cast<double>(sales_counted()))));
  EXPECT_EQ(metric(analytics, "analytics_movements_total{outcome=\"duplicate\"}"), 0);
  EXPECT_GT(metric(analytics, "analytics_movements_total{outcome=\"no_sale\"}"), 0);
  EXPECT_TRUE(eventually([&] { return analytics.get("/readyz").status; }, Eq(200)));
  EXPECT_TRUE(eventually([&] { return metric(analytics, "analytics_position_age_seconds"); },
                         AllOf(Ge(0), ::testing::Lt(5))));
}

// Its role sees nothing of the ledger.
TEST_F(ServiceAnalyticsTest, it_cannot_touch_the_ledger) {
  EXPECT_THROW(primary().connect("analytics").query("SELECT count(*) FROM stock.movement"),
               support::SqlError);
}

TEST_F(ServiceAnalyticsTest, killed_before_a_transaction_it_has_counted_nothing_of_it) {
  auto analytics = std::make_unique<AnalyticsProcess>(options());
  EXPECT_TRUE(agree());
  Sql holder = primary().connect();
  holder.exec("BEGIN; SELECT FROM analytics.position FOR UPDATE");
  sell(2);
  ASSERT_TRUE(hangs_in("analytics.position"));
  analytics->kill9();
  holder.exec("ROLLBACK");
  EXPECT_NE(in_rollups(), in_ledger());
  analytics = std::make_unique<AnalyticsProcess>(options());
  EXPECT_TRUE(agree());
}

TEST_F(ServiceAnalyticsTest, killed_in_the_middle_of_a_batch_it_has_counted_nothing_of_it) {
  auto analytics = std::make_unique<AnalyticsProcess>(options());
  EXPECT_TRUE(agree());
  const std::int64_t before = sales_counted();
  Sql holder = primary().connect();
  holder.exec("BEGIN; LOCK TABLE analytics.sold IN EXCLUSIVE MODE");
  sell(2);
  ASSERT_TRUE(hangs_in("INSERT INTO analytics.sold"));
  analytics->kill9();
  holder.exec("ROLLBACK");
  EXPECT_NE(in_rollups(), in_ledger());
  EXPECT_EQ(sales_counted(), before);
  analytics = std::make_unique<AnalyticsProcess>(options());
  EXPECT_TRUE(agree());
}

TEST_F(ServiceAnalyticsTest, killed_before_it_hears_of_its_commit_it_counts_nothing_again) {
  auto analytics = std::make_unique<AnalyticsProcess>(options());
  EXPECT_TRUE(agree());
  Sql holder = primary().connect();
  holder.exec("SELECT pg_advisory_lock(4711)");
  stop_in_commit();
  sell(2);
  ASSERT_TRUE(hangs_in("COMMIT"));
  analytics->kill9();
  EXPECT_NE(in_rollups(), in_ledger());
  holder.exec("SELECT pg_advisory_unlock(4711)");
  EXPECT_TRUE(agree());  // of which nobody heard
  stop_no_more();
  analytics = std::make_unique<AnalyticsProcess>(options());
  sell(1);
  EXPECT_TRUE(agree());
}

// The transaction is committed; who asked for it never hears of that, and lives.
TEST_F(ServiceAnalyticsTest, a_connection_lost_in_a_commit_is_no_reason_to_count_again) {
  support::TcpGate gate(primary().port());
  AnalyticsProcess::Options through_gate = options();
  through_gate.database_url =
      "postgresql://analytics@127.0.0.1:" + std::to_string(gate.port()) + "/stock";
  AnalyticsProcess analytics(through_gate);
  EXPECT_TRUE(agree());
  Sql holder = primary().connect();
  holder.exec("SELECT pg_advisory_lock(4711)");
  stop_in_commit();
  sell(2);
  ASSERT_TRUE(hangs_in("COMMIT"));
  gate.cut();
  holder.exec("SELECT pg_advisory_unlock(4711)");
  stop_no_more();
  gate.open();
  EXPECT_TRUE(agree());
  EXPECT_GE(metric(analytics, "analytics_transaction_failures_total"), 1);
  sell(1);
  EXPECT_TRUE(agree());
  // It found its own position where it believed.
  EXPECT_EQ(metric(analytics, "analytics_resets_total{reason=\"position_moved\"}"), 0);
}

TEST_F(ServiceAnalyticsTest, killed_between_two_batches_it_goes_on_where_it_was) {
  auto analytics = std::make_unique<AnalyticsProcess>(options());
  EXPECT_TRUE(agree());
  analytics->kill9();
  sell(5);
  analytics = std::make_unique<AnalyticsProcess>(options());
  EXPECT_TRUE(agree());
  EXPECT_TRUE(eventually(
      [&] { return metric(*analytics, "analytics_movements_total{outcome=\"counted\"}"); }, Eq(2)));
  EXPECT_EQ(metric(*analytics, "analytics_movements_total{outcome=\"duplicate\"}"), 0);
}

TEST_F(ServiceAnalyticsTest, killed_again_and_again_under_load_it_loses_and_doubles_nothing) {
  std::atomic<bool> enough{false};
  std::thread shop([&] {
    while (!enough) sell(1);
  });
  auto analytics = std::make_unique<AnalyticsProcess>(options());
  std::minstd_rand random(5);
  for (int kill = 0; kill < 8; ++kill) {
    const double wanted = static_cast<double>(random() % 12);
    EXPECT_TRUE(
        eventually([&] { return metric(*analytics, "analytics_transactions_total"); }, Ge(wanted)));
    analytics->kill9();
    analytics->start();
  }
  enough = true;
  shop.join();
  EXPECT_TRUE(agree());
}

TEST_F(ServiceAnalyticsTest, two_at_once_count_each_sale_once) {
  AnalyticsProcess one(options({"--instance", "one"}));
  AnalyticsProcess other(options({"--instance", "other"}));
  for (int i = 0; i < 20; ++i) sell(1);
  EXPECT_TRUE(agree());
}

TEST_F(ServiceAnalyticsTest, without_its_position_it_counts_from_the_beginning_and_nothing_twice) {
  sell(2);
  AnalyticsProcess analytics(options());
  EXPECT_TRUE(agree());
  const auto sales = static_cast<double>(sales_counted());
  sql("TRUNCATE analytics.position");
  EXPECT_TRUE(eventually(
      [&] { return metric(analytics, "analytics_movements_total{outcome=\"duplicate\"}"); },
      Eq(sales)));
  EXPECT_EQ(in_rollups(), in_ledger());
  EXPECT_EQ(metric(analytics, "analytics_resets_total{reason=\"position_moved\"}"), 1);
}

// What the memory of what was counted is for.
TEST_F(ServiceAnalyticsTest, without_its_position_and_its_memory_it_counts_twice) {
  sell(2);
  AnalyticsProcess analytics(options());
  EXPECT_TRUE(agree());
  sql("TRUNCATE analytics.position, analytics.counted");
  Rows doubled = in_ledger();
  for (Sql::Row& row : doubled) row[3] = std::to_string(2 * std::stoll(row[3]));
  EXPECT_TRUE(eventually(in_rollups, Eq(doubled)));
}

TEST_F(ServiceAnalyticsTest, the_ledger_confirms_it_and_finds_what_was_counted_twice) {
  sell(2);
  AnalyticsProcess analytics(options({"--testify-interval", "50ms"}));
  EXPECT_TRUE(agree());
  const auto testified = [&](const std::string& verdict) {
    return metric(analytics, "analytics_testimonies_total{verdict=\"" + verdict + "\"}");
  };
  EXPECT_TRUE(eventually([&] { return testified("current"); }, Ge(2)));  // of A and of B
  EXPECT_EQ(testified("overcounted"), 0);
  EXPECT_EQ(testified("undercounted"), 0);
  sql("TRUNCATE analytics.position, analytics.counted");
  EXPECT_TRUE(eventually([&] { return testified("overcounted"); }, Ge(2)));
  EXPECT_EQ(testified("undercounted"), 0);
  EXPECT_EQ(metric(analytics, "analytics_testimony_failures_total"), 0);
}

TEST_F(ServiceAnalyticsTest, a_crash_of_the_ledger_doubles_nothing) {
  sell(2);
  AnalyticsProcess analytics(options());
  EXPECT_TRUE(agree());
  primary().kill9();
  primary().start();
  EXPECT_TRUE(eventually(
      [&] { return metric(analytics, "analytics_resets_total{reason=\"incarnation\"}"); }, Eq(1)));
  EXPECT_TRUE(eventually([] { return client_ready(); }));
  sell(3);
  EXPECT_TRUE(agree());
}

TEST_F(ServiceAnalyticsTest, what_is_sold_while_stockd_is_away_is_counted_when_it_is_back) {
  AnalyticsProcess analytics(options());
  EXPECT_TRUE(agree());
  sell(3);
  stockd().kill9();
  EXPECT_TRUE(eventually([&] { return analytics.get("/readyz").status; }, Eq(503)));
  EXPECT_EQ(analytics.get("/healthz").status, 200);
  stockd().start();
  EXPECT_TRUE(eventually([] { return client_ready(); }));
  sell(4);
  EXPECT_TRUE(agree());
  EXPECT_GE(metric(analytics, "analytics_reconnects_total"), 1);
}

// It would wait for a word for ever: nothing says that the connection is dead.
TEST_F(ServiceAnalyticsTest, a_connection_that_died_without_a_word_is_given_up) {
  support::TcpGate gate(stockd().port());
  AnalyticsProcess::Options through_gate = options();
  through_gate.stock_address = "127.0.0.1:" + std::to_string(gate.port());
  AnalyticsProcess analytics(through_gate);
  EXPECT_TRUE(agree());
  gate.stall();
  sell(3);
  EXPECT_TRUE(eventually([&] { return metric(analytics, "analytics_reconnects_total"); }, Ge(1)));
  gate.open();
  EXPECT_TRUE(agree());
}

// Testifying, with a server of which only that is known.
class ServiceAnalyticsWitnessTest : public ServiceAnalyticsTest {
 protected:
  std::unique_ptr<analytics::Witness> witness(const std::string& address) {
    return std::make_unique<analytics::Witness>(
        analytics::Witness::Options{.stock_address = address, .instance = "test", .interval = 20ms},
        session_, counters_, clock_);
  }
  std::int64_t testified(std::size_t verdict) { return counters_.testimonies[verdict]->value(); }

  clock::BootClock clock_;
  clock::TimerThread timers_{clock_};
  telemetry::Metrics metrics_;
  analytics::Counters counters_{metrics_};
  postgres::Session session_{
      {.url = primary().url("analytics"), .application_name = "witness"}, clock_, timers_};
};

constexpr std::size_t kCurrent = 0;
constexpr std::size_t kOvercounted = 1;

TEST_F(ServiceAnalyticsWitnessTest, it_testifies_each_rollup_when_it_has_changed) {
  sql("INSERT INTO analytics.position VALUES (true, 7, 'token', now() - interval '1 minute');"
      "INSERT INTO analytics.sold VALUES ('A', 'main', '2026-11-24 02:00Z', 12),"
      " ('A', 'main', '2026-11-24 01:00Z', 5)");
  FakeTestimonyServer server([](const v1::Testimony& claim) {
    return claim.sold().units() > 12 ? v1::VERDICT_OVERCOUNTED : v1::VERDICT_CURRENT;
  });
  const auto telling = witness(server.address());
  telling->start();
  EXPECT_TRUE(eventually([&] { return testified(kCurrent); }, Eq(2)));
  ASSERT_THAT(server.heard(), SizeIs(2));  // the first one asked what time it is
  const v1::SubmitTestimoniesRequest first = server.heard()[1];
  const v1::Testimony& claim = first.testimonies(0);
  EXPECT_EQ(claim.witness(), "analytics");
  EXPECT_EQ(claim.instance(), "test");
  EXPECT_EQ(claim.key().sku(), "A");
  EXPECT_EQ(claim.key().location(), "main");
  EXPECT_EQ(claim.sold().units(), 12);
  EXPECT_EQ(claim.sold().from().seconds(), 1795485600);
  EXPECT_EQ(claim.sold().until().seconds(), 1795485600 + 3600);
  EXPECT_GE(claim.age().seconds(), 60);
  EXPECT_LT(claim.age().seconds(), 120);
  EXPECT_EQ(first.testimonies(1).sold().units(), 5);
  sql("UPDATE analytics.sold SET units = 24 WHERE units = 12");
  EXPECT_TRUE(eventually([&] { return testified(kOvercounted); }, Eq(1)));
  EXPECT_EQ(testified(kCurrent), 2);
  ASSERT_THAT(server.heard(), SizeIs(3));
  EXPECT_EQ(server.heard()[2].testimonies_size(), 1);
}

TEST_F(ServiceAnalyticsWitnessTest, its_age_is_by_the_clock_of_the_ledgers_database) {
  sql("INSERT INTO analytics.position VALUES (true, 7, 'token', now() - interval '1 minute');"
      "INSERT INTO analytics.sold VALUES ('A', 'main', '2026-11-24 02:00Z', 12),"
      " ('A', 'main', '2026-11-24 01:00Z', 5)");
  FakeTestimonyServer server([](const v1::Testimony&) { return v1::VERDICT_CURRENT; },
                             std::chrono::hours(1));
  const auto telling = witness(server.address());
  telling->start();
  EXPECT_TRUE(eventually([&] { return testified(kCurrent); }, Eq(2)));
  const auto heard = server.heard();
  ASSERT_THAT(heard, SizeIs(2));
  // Of which nobody can say what it had to know of.
  EXPECT_EQ(heard[0].testimonies_size(), 1);
  EXPECT_FALSE(heard[0].has_sent_at());
  EXPECT_FALSE(heard[0].testimonies(0).has_age());
  EXPECT_TRUE(heard[0].testimonies(0).has_true_through());
  EXPECT_EQ(heard[1].testimonies_size(), 2);
  EXPECT_TRUE(heard[1].has_sent_at());
  EXPECT_GE(heard[1].testimonies(0).age().seconds(), 3660);
}

TEST_F(ServiceAnalyticsWitnessTest, what_the_ledger_contradicts_is_told_again_and_again) {
  sql("INSERT INTO analytics.position VALUES (true, 7, 'token', now());"
      "INSERT INTO analytics.sold VALUES ('A', 'main', '2026-11-24 02:00Z', 12),"
      " ('A', 'main', '2026-11-24 01:00Z', 5)");
  std::atomic<bool> agrees{false};
  FakeTestimonyServer server([&](const v1::Testimony& claim) {
    return claim.sold().units() == 12 && !agrees ? v1::VERDICT_OVERCOUNTED : v1::VERDICT_CURRENT;
  });
  const auto contradicted = [](const std::string& where) {
    return primary().connect().number("SELECT count(*) FROM analytics.sold WHERE again_at " +
                                      where);
  };
  const auto a_minute_passes = [] {
    sql("UPDATE analytics.sold SET again_at = now()"
        " WHERE again_at IS NOT NULL");
  };
  const auto telling = witness(server.address());
  telling->start();
  EXPECT_TRUE(eventually([&] { return contradicted("> now()"); }, Eq(1)));
  EXPECT_EQ(testified(kOvercounted), 1);
  EXPECT_EQ(testified(kCurrent), 1);
  a_minute_passes();
  EXPECT_TRUE(eventually([&] { return testified(kOvercounted); }, Eq(2)));
  EXPECT_TRUE(eventually([&] { return contradicted("> now()"); }, Eq(1)));
  agrees = true;
  a_minute_passes();
  EXPECT_TRUE(eventually([&] { return contradicted("IS NOT NULL"); }, Eq(0)));
  EXPECT_EQ(testified(kOvercounted), 2);
  EXPECT_EQ(testified(kCurrent), 2);
}

TEST_F(ServiceAnalyticsWitnessTest, what_nobody_judged_is_told_again) {
  sql("INSERT INTO analytics.position VALUES (true, 7, 'token', now());"
      "INSERT INTO analytics.sold VALUES ('A', 'main', '2026-11-24 02:00Z', 12)");
  {
    const auto telling = witness("127.0.0.1:1");
    telling->start();
    EXPECT_TRUE(eventually([&] { return counters_.testimony_failures.value(); }, Ge(2)));
  }
  FakeTestimonyServer server([](const v1::Testimony&) { return v1::VERDICT_CURRENT; });
  postgres::Session again({.url = primary().url("analytics"), .application_name = "witness"},
                          clock_, timers_);
  analytics::Witness telling({.stock_address = server.address(), .interval = 20ms}, again,
                             counters_, clock_);
  telling.start();
  EXPECT_TRUE(eventually([&] { return testified(kCurrent); }, Eq(1)));
}

// The command line.
class ServiceAnalyticsStartTest : public ServiceTest {
 protected:
  static int status_of(std::vector<std::string> arguments, const std::string& words) {
    const support::TempDir dir;
    arguments.insert(arguments.begin(), support::analytics_path());
    support::Process process({.command = std::move(arguments), .log = dir.path() / "log"});
    const int status = process.wait(support::kGenerous).value_or(-1);
    EXPECT_TRUE(process.log_contains(words)) << process.log_tail();
    return status;
  }
};

TEST_F(ServiceAnalyticsStartTest, it_says_what_is_wrong) {
  EXPECT_EQ(status_of({"--help"}, "ANALYTICS_DATABASE_URL"), 0);
  EXPECT_EQ(status_of({}, "--database-url is required"), 2);
  EXPECT_EQ(status_of({"--nonsense"}, "See: analytics --help"), 2);
  EXPECT_EQ(status_of({"--database-url", "postgresql://x", "--testify-interval", "soon"},
                      "must be a duration"),
            2);
  const std::string elsewhere =
      "postgresql://postgres@127.0.0.1:" + std::to_string(primary().port()) + "/postgres";
  EXPECT_EQ(status_of({"--database-url", elsewhere, "--admin-listen", "127.0.0.1:0"},
                      "bring schema analytics of this database up to date"),
            1);
}

}  // namespace
}  // namespace stock
