#include "integration/postgres_world.h"
#include "stock/postgres/connection.h"
#include "support/manual_clock.h"
#include "support/tcp_gate.h"

namespace stock::postgres {
namespace {

class PostgresOutage : public PostgresTest {
 protected:
  static SessionOptions impatient(const std::string& url) {
    SessionOptions options = session_options(url);
    options.statement_timeout = 300ms;
    options.hang_limit = 700ms;
    return options;
  }
  Heart::Options heart_options() {
    return {
        .session = impatient(primary().url()), .heartbeat_interval = 20ms, .pulse_interval = 50ms};
  }
  static bool answers(Database& db) {
    return db.read({{"A", "main"}}).answers[0].outcome == domain::Outcome::kHit;
  }
};

TEST_F(PostgresOutage, a_silent_primary_is_answered_for_at_the_deadline) {
  Database db(world_, Role::kPrimary, impatient(primary().url()), 1);
  ASSERT_TRUE(eventually([&] { return answers(db); }));
  primary().sigstop();
  for (int i = 0; i < 3; ++i) {
    const auto began = std::chrono::steady_clock::now();
    const auto page = db.page<layers::LocationPage>(layers::LocationQuery{}, 200ms);
    const auto took = std::chrono::steady_clock::now() - began;
    EXPECT_FALSE(page.ok());
    EXPECT_LT(took, 10s);
    if (i == 0) {
      EXPECT_TRUE(absl::IsDeadlineExceeded(page.status())) << page.status();
      EXPECT_GE(took, 200ms);
    }
  }
  EXPECT_TRUE(eventually([&] { return db.pool.stats().connections_up; }, ::testing::Eq(0u)))
      << "the hung connection is cut";
  primary().sigcont();
  EXPECT_TRUE(eventually([&] { return answers(db); }));
}

TEST_F(PostgresOutage, a_pool_can_end_while_the_primary_is_silent) {
  auto db = std::make_unique<Database>(world_, Role::kPrimary, options(), 2);
  ASSERT_TRUE(answers(*db));
  primary().sigstop();
  std::promise<absl::Status> promise;
  db->layer.locations(
      {}, {}, [&](absl::StatusOr<layers::LocationPage> page) { promise.set_value(page.status()); });
  EXPECT_TRUE(eventually([&] { return db->pool.stats().busy; }, ::testing::Eq(1u)));
  db.reset();
  EXPECT_FALSE(promise.get_future().get().ok());
  primary().sigcont();
}

// As of a process that is stopped in the middle of a transaction.
TEST_F(PostgresOutage, what_a_session_locked_is_free_soon_after_it_stood_still) {
  SessionOptions limited = options();
  limited.idle_limit = 100ms;
  limited.hang_limit = 2 * support::kGenerous;  // all of the time in which it stands still
  Session still(limited, world_.local, world_.timers);
  const absl::Status status = still.run([&](Connection& connection) {
    pqxx::work transaction(connection.pq());
    transaction.exec("SELECT pg_advisory_xact_lock(207)");
    support::Sql another = primary().connect();
    EXPECT_TRUE(eventually([&] { return another.value("SELECT pg_try_advisory_lock(207)"); },
                           ::testing::Eq("t")));
    transaction.exec("SELECT 1");
    return absl::OkStatus();
  });
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
}

TEST_F(PostgresOutage, connections_that_were_cut_while_idle_are_replaced_before_use) {
  support::TcpGate gate(primary().port());
  std::string url = primary().url();
  const std::string port = std::to_string(primary().port());
  url.replace(url.find(port), port.size(), std::to_string(gate.port()));
  Database db(world_, Role::kPrimary, session_options(url), 1);
  ASSERT_TRUE(answers(db));
  gate.reset_connections();
  EXPECT_TRUE(eventually([&] { return gate.connections(); }, ::testing::Eq(0u)));
  EXPECT_TRUE(answers(db));
}

TEST_F(PostgresOutage, a_network_that_swallows_everything_frees_its_threads) {
  support::TcpGate gate(primary().port());
  std::string url = primary().url();
  const std::string port = std::to_string(primary().port());
  url.replace(url.find(port), port.size(), std::to_string(gate.port()));
  Database db(world_, Role::kPrimary, impatient(url), 1);
  ASSERT_TRUE(eventually([&] { return answers(db); }));
  gate.stall();
  const auto answered = db.read({{"A", "main"}});
  EXPECT_EQ(answered.answers[0].outcome, domain::Outcome::kTimeout);
  EXPECT_THAT(answered.detail, HasSubstr("no answer within"));
  gate.open();
  EXPECT_TRUE(eventually([&] { return answers(db); }));
}

// The clock that they see stands still, so that the pause between attempts never ends.
TEST_F(PostgresOutage, a_session_tries_again_when_another_of_its_pool_has_found_the_server_back) {
  support::ManualClock clock(world_.local.now());
  const SessionOptions shared = options();
  const auto nothing = [](Connection&) { return absl::OkStatus(); };
  Session one(shared, clock, world_.timers);
  Session other(shared, clock, world_.timers);
  Session stranger(options(), clock, world_.timers);
  primary().kill9();
  for (Session* session : {&one, &other, &stranger}) EXPECT_FALSE(session->run(nothing).ok());
  primary().start();
  for (Session* session : {&one, &other, &stranger}) {
    EXPECT_FALSE(session->run(nothing).ok()) << "it leaves the server alone for a while";
  }
  clock.advance(1ms);
  Session fresh(shared, clock, world_.timers);
  EXPECT_TRUE(fresh.run(nothing).ok());
  EXPECT_TRUE(one.run(nothing).ok());
  EXPECT_TRUE(other.run(nothing).ok());
  EXPECT_FALSE(stranger.run(nothing).ok());
}

TEST_F(PostgresOutage, a_clean_restart_keeps_the_incarnation) {
  Heart heart(heart_options(), world_.knowledge, world_.timers);
  Database db(world_, Role::kPrimary, impatient(primary().url()));
  ASSERT_TRUE(eventually([&] { return heart.state().leads && answers(db); }));
  const domain::Incarnation before = world_.identity.current();
  primary().stop();
  EXPECT_TRUE(eventually([&] { return !heart.state().primary_reachable; }));
  EXPECT_FALSE(answers(db));
  primary().start();
  EXPECT_TRUE(eventually([&] { return heart.state().leads && answers(db); }));
  EXPECT_EQ(world_.identity.current(), before);
}

TEST_F(PostgresOutage, a_crash_begins_another_incarnation) {
  Database db(world_, Role::kPrimary, impatient(primary().url()), 1);
  domain::Incarnation before = 0;
  domain::HeartbeatNumber heartbeat = 0;
  {
    Heart heart(heart_options(), world_.knowledge, world_.timers);
    ASSERT_TRUE(eventually([&] { return heart.state().heartbeat > 0 && answers(db); }));
    before = world_.identity.current();
    heartbeat = heart.state().heartbeat;
  }
  primary().connect().exec("CHECKPOINT");
  primary().kill9();
  primary().start();
  ASSERT_TRUE(eventually([&] { return db.error({"A", "main"}); }, HasSubstr("not begun yet")));
  EXPECT_EQ(world_.identity.current(), before);
  Heart heart(heart_options(), world_.knowledge, world_.timers);
  EXPECT_TRUE(eventually([&] { return answers(db); }));
  EXPECT_NE(world_.identity.current(), before);
  EXPECT_TRUE(eventually([&] { return heart.state().heartbeat; }, ::testing::Gt(heartbeat)));
}

}  // namespace
}  // namespace stock::postgres
