#include <mutex>

#include "integration/postgres_world.h"
#include "stock/postgres/heart.h"

namespace stock::postgres {
namespace {

class PostgresHeart : public PostgresTest {
 protected:
  Heart::Options heart_options() {
    return {.session = options(), .heartbeat_interval = 20ms, .pulse_interval = 50ms};
  }
};

TEST_F(PostgresHeart, a_leader_begins_the_ledgers_incarnation_and_numbers_heartbeats) {
  sql("DELETE FROM stock.incarnation; DELETE FROM stock.heartbeat");
  Heart heart(heart_options(), world_.knowledge, world_.timers);
  ASSERT_TRUE(eventually([&] { return heart.state().heartbeat; }, ::testing::Ge(5)));
  EXPECT_TRUE(heart.state().leads);
  EXPECT_TRUE(heart.state().primary_reachable);
  ASSERT_TRUE(eventually([&] { return heart.state().error; }, IsEmpty()));
  const std::int64_t incarnation = sql().number("SELECT id FROM stock.incarnation");
  EXPECT_GT(incarnation, 0);
  EXPECT_TRUE(eventually([&] { return world_.identity.current(); },
                         ::testing::Eq(static_cast<domain::Incarnation>(incarnation))));
  EXPECT_EQ(sql().number("SELECT max(number) - count(*) FROM stock.heartbeat"), 0);
  EXPECT_EQ(sql().number("SELECT count(*) FROM stock.heartbeat WHERE incarnation <> " +
                         std::to_string(incarnation)),
            0);
}

// Otherwise a standby could show what was written in it with the newest heartbeat of the one
// before.
TEST_F(PostgresHeart, an_incarnation_begins_together_with_its_first_heartbeat) {
  sql("DELETE FROM stock.incarnation;"
      "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS"
      " $$ BEGIN RAISE EXCEPTION 'no heartbeat now'; END $$;"
      "CREATE TRIGGER fail BEFORE INSERT ON stock.heartbeat FOR EACH ROW EXECUTE FUNCTION fail()");
  Heart heart(heart_options(), world_.knowledge, world_.timers);
  ASSERT_TRUE(eventually([&] { return heart.state().error; }, HasSubstr("no heartbeat now")));
  EXPECT_EQ(sql().number("SELECT count(*) FROM stock.incarnation"), 0);
  sql("DROP TRIGGER fail ON stock.heartbeat; DROP FUNCTION fail");
  EXPECT_TRUE(eventually([&] { return heart.state().heartbeat; }, ::testing::Gt(0)));
  EXPECT_EQ(heart.state().begun_anew, 1);
}

TEST_F(PostgresHeart, of_two_hearts_one_leads_and_the_other_takes_over) {
  World other_world;
  Heart::Options options = heart_options();
  options.heartbeat_interval = 5s;  // the first may stand still for a while, and leads on
  auto first = std::make_unique<Heart>(options, world_.knowledge, world_.timers);
  ASSERT_TRUE(eventually([&] { return first->state().leads; }));
  Heart second(options, other_world.knowledge, other_world.timers);
  ASSERT_TRUE(eventually([&] { return second.state().primary_reachable; }));
  ASSERT_TRUE(eventually([&] { return other_world.clock.earliest(other_world.local.now()); },
                         ::testing::Ne(std::nullopt)));
  EXPECT_FALSE(second.state().leads);
  first.reset();
  EXPECT_TRUE(eventually([&] { return second.state().leads; }));
  const domain::HeartbeatNumber before = second.state().heartbeat;
  EXPECT_TRUE(eventually([&] { return second.state().heartbeat; }, ::testing::Gt(before)));
}

TEST_F(PostgresHeart, old_heartbeats_are_pruned_but_never_the_newest) {
  sql("DELETE FROM stock.heartbeat; INSERT INTO stock.heartbeat SELECT i, now() - interval '1 h',"
      " pg_current_snapshot(), 1 FROM generate_series(1, 100) i");
  Heart heart(heart_options(), world_.knowledge, world_.timers);
  EXPECT_TRUE(eventually([&] { return sql().number("SELECT min(number) FROM stock.heartbeat"); },
                         ::testing::Gt(100)));
}

TEST_F(PostgresHeart, a_clock_that_is_set_back_begins_another_incarnation) {
  Heart heart(heart_options(), world_.knowledge, world_.timers);
  ASSERT_TRUE(eventually([&] { return heart.state().heartbeat; }, ::testing::Gt(0)));
  const std::string before = sql().value("SELECT id FROM stock.incarnation");
  // As if the clock had been an hour ahead until now. The heart beats meanwhile.
  sql("INSERT INTO stock.heartbeat SELECT max(number) + 10, now() + interval '1 h', "
      "pg_current_snapshot(), " +
      before + " FROM stock.heartbeat");
  EXPECT_TRUE(eventually([&] { return sql().value("SELECT id FROM stock.incarnation"); },
                         ::testing::Ne(before)));
  const std::int64_t number = sql().number("SELECT max(number) FROM stock.heartbeat");
  EXPECT_TRUE(eventually([&] { return heart.state().heartbeat; }, ::testing::Gt(number)));
}

// Whoever leads need not have noticed it itself.
TEST_F(PostgresHeart, a_clock_that_was_set_begins_another_incarnation_once) {
  Heart heart(heart_options(), world_.knowledge, world_.timers);
  const std::string incarnation = "SELECT coalesce(max(id), 0) FROM stock.incarnation";
  ASSERT_TRUE(eventually([&] { return heart.state().heartbeat; }, ::testing::Gt(0)));
  const std::int64_t before = sql().number(incarnation);
  world_.identity.clock_was_set(static_cast<domain::Incarnation>(before));
  EXPECT_TRUE(eventually([&] { return sql().number(incarnation); }, Not(::testing::Eq(before))));
  EXPECT_EQ(heart.state().begun_by_clock, 1);
  const domain::HeartbeatNumber since = heart.state().heartbeat;
  EXPECT_TRUE(eventually([&] { return heart.state().heartbeat; }, ::testing::Gt(since + 20)));
  EXPECT_EQ(heart.state().begun_by_clock, 1);
}

TEST_F(PostgresHeart, changes_are_told) {
  std::mutex mutex;
  std::vector<bool> told;
  Heart::Options options = heart_options();
  options.on_change = [&](const Heart::State& state) {
    const std::lock_guard lock(mutex);
    told.push_back(state.primary_reachable);
  };
  Heart heart(std::move(options), world_.knowledge, world_.timers);
  const auto last = [&] {
    const std::lock_guard lock(mutex);
    return !told.empty() && told.back();
  };
  ASSERT_TRUE(eventually(last));
  sql("ALTER ROLE stock_writer NOLOGIN;"
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'stock_writer'");
  EXPECT_TRUE(eventually([&] { return !last(); }));
  EXPECT_TRUE(eventually([&] { return heart.state().error; }, HasSubstr("not permitted")));
  EXPECT_FALSE(heart.state().leads);
  sql("ALTER ROLE stock_writer LOGIN");
  EXPECT_TRUE(eventually([&] { return last() && heart.state().leads; }));
}

}  // namespace
}  // namespace stock::postgres
