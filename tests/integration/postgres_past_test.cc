// What was: levels at an instant and by version, and when versions became true.
#include "integration/postgres_world.h"

namespace stock::postgres {
namespace {

using layers::PastLevel;
using std::chrono::microseconds;

class PostgresPast : public PostgresTest {
 protected:
  // Sets on_hand around the service, in a transaction of its own.
  static void set(const std::string& sku, int on_hand) {
    sql("INSERT INTO stock.level (sku, location, on_hand) VALUES ('" + sku + "', 'main', " +
        std::to_string(on_hand) +
        ") ON CONFLICT (sku, location) DO UPDATE SET on_hand = excluded.on_hand");
  }
  static domain::DatabaseTime instant(const std::string& expression) {
    return domain::DatabaseTime(microseconds(
        sql().number("SELECT (extract(epoch FROM " + expression + ") * 1000000)::bigint")));
  }
  static domain::DatabaseTime committed_at(const std::string& sku, int version) {
    return instant("(SELECT pg_xact_commit_timestamp(xid::xid) FROM stock.movement WHERE sku = '" +
                   sku + "' AND version = " + std::to_string(version) + ")");
  }
  // Proof that everything until now has been recorded, if anybody did.
  static void beat() {
    sql("INSERT INTO stock.heartbeat SELECT coalesce(max(number), 0) + 1, clock_timestamp(),"
        " pg_current_snapshot(), 4711 FROM stock.heartbeat");
  }
  PastLevel at(const std::string& sku, domain::DatabaseTime time) {
    const auto page = db_.page<layers::PastPage>(
        layers::PastQuery{.keys = {{sku, "main"}}, .at = time, .version = 0});
    EXPECT_TRUE(page.ok()) << page.status();
    if (!page.ok()) return {};
    EXPECT_EQ(page->levels.size(), 1u);
    EXPECT_EQ(page->levels[0].reading.true_through, time);
    return page->levels[0];
  }
  absl::StatusOr<layers::PastPage> version(const std::string& sku, domain::Version version) {
    return db_.page<layers::PastPage>(
        layers::PastQuery{.keys = {{sku, "main"}}, .at = {}, .version = version});
  }

  Database db_ = database();
};

TEST_F(PostgresPast, each_instant_has_the_newest_version_that_was_committed_by_then) {
  for (int i = 1; i <= 20; ++i) set("walk", i);
  for (int i = 1; i <= 20; ++i) {
    const auto became = committed_at("walk", i);
    const PastLevel then = at("walk", became);
    EXPECT_EQ(then.reading.version, i);
    EXPECT_EQ(then.reading.counts.on_hand, i);
    EXPECT_EQ(then.reading.as_of, became);
    EXPECT_TRUE(then.reading.exists);
    const PastLevel before = at("walk", became - microseconds(1));
    EXPECT_EQ(before.reading.version, i - 1);
    EXPECT_EQ(before.reading.exists, i > 1);
  }
  EXPECT_EQ(at("walk", instant("now()")).reading.version, 20);
  EXPECT_EQ(at("never", instant("now()")).reading.version, 0);
}

TEST_F(PostgresPast, of_one_transaction_only_the_last_version_was_ever_visible) {
  set("burst", 1);
  sql("DO $$ BEGIN FOR i IN 1..300 LOOP"
      "  UPDATE stock.level SET on_hand = i + 1 WHERE sku = 'burst';"
      "END LOOP; END $$");
  const auto became = committed_at("burst", 301);
  EXPECT_EQ(at("burst", became - microseconds(1)).reading.version, 1);
  EXPECT_EQ(at("burst", became).reading.version, 301);
  EXPECT_EQ(at("burst", became).reading.counts.on_hand, 301);
}

TEST_F(PostgresPast, a_removed_level_was_there_until_it_was_removed) {
  set("gone", 5);
  sql("DELETE FROM stock.level WHERE sku = 'gone'");
  EXPECT_TRUE(at("gone", committed_at("gone", 1)).reading.exists);
  const PastLevel now = at("gone", instant("now()"));
  EXPECT_FALSE(now.reading.exists);
  EXPECT_EQ(now.reading.version, 2);
}

TEST_F(PostgresPast, an_instant_between_commit_and_sight_is_in_transition) {
  set("late", 1);
  const auto became = committed_at("late", 1);
  // Not recorded, and perhaps becoming visible right now.
  EXPECT_TRUE(at("late", became).in_transition);
  EXPECT_GE(at("late", became).seen_by, became);
  EXPECT_FALSE(at("late", became - microseconds(1)).in_transition);
  // Recorded.
  sql("INSERT INTO stock.commit SELECT xid, pg_xact_commit_timestamp(xid::xid),"
      " pg_xact_commit_timestamp(xid::xid) + interval '3 ms'"
      " FROM stock.movement WHERE sku = 'late'");
  EXPECT_TRUE(at("late", became + microseconds(3000)).in_transition);
  EXPECT_FALSE(at("late", became + microseconds(3001)).in_transition);
  EXPECT_EQ(at("late", became + microseconds(3001)).seen_by, became + microseconds(3000));
  // Long ago, and nobody recorded it.
  sql("DELETE FROM stock.commit");
  beat();
  EXPECT_FALSE(at("late", became).in_transition);
  EXPECT_EQ(at("late", became).seen_by, domain::DatabaseTime{});
}

TEST_F(PostgresPast, a_version_was_true_until_its_successor_was_committed) {
  set("numbered", 1);
  set("numbered", 2);
  const auto first = version("numbered", 1);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_TRUE(first->levels[0].found);
  EXPECT_EQ(first->levels[0].reading.counts.on_hand, 1);
  EXPECT_EQ(first->levels[0].reading.as_of, committed_at("numbered", 1));
  EXPECT_EQ(first->levels[0].reading.true_through, committed_at("numbered", 2));
  const auto last = version("numbered", 2);
  EXPECT_EQ(last->levels[0].reading.true_through, last->true_through);
  EXPECT_FALSE(version("numbered", 3)->levels[0].found);
}

TEST_F(PostgresPast, keys_are_answered_one_for_one) {
  set("one", 1);
  set("three", 3);
  const auto page = db_.page<layers::PastPage>(layers::PastQuery{
      .keys = {{"one", "main"}, {"two", "main"}, {"three", "main"}, {"one", "north"}},
      .at = instant("now()"),
      .version = 0});
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_THAT(page->levels, SizeIs(4));
  EXPECT_EQ(page->levels[0].reading.counts.on_hand, 1);
  EXPECT_EQ(page->levels[1].reading.version, 0);
  EXPECT_EQ(page->levels[2].reading.counts.on_hand, 3);
  EXPECT_EQ(page->levels[3].reading.version, 0);
}

TEST_F(PostgresPast, an_adopted_movement_is_dated_by_when_it_was_written) {
  set("adopted", 1);
  sql("SELECT stock.adopt_ledger(); INSERT INTO stock.incarnation (id) VALUES (4711)");
  const auto written = instant("(SELECT at FROM stock.movement WHERE sku = 'adopted')");
  EXPECT_EQ(db_.movements({"adopted", "main"})->movements[0].committed_at, written);
  EXPECT_EQ(at("adopted", instant("now()")).reading.as_of, written);
  // The level's own row is as old as the copying, which may be long after.
  sql("ALTER TABLE stock.movement DISABLE TRIGGER refuse_rewriting;"
      "ALTER TABLE stock.level DISABLE TRIGGER record_direct_updates;"
      "ALTER TABLE stock.level DISABLE TRIGGER leave_as_it_is;"
      "UPDATE stock.movement SET at = at - interval '1 day' WHERE sku = 'adopted';"
      "UPDATE stock.level SET changed_at = changed_at - interval '1 day' WHERE sku = 'adopted';"
      "ALTER TABLE stock.movement ENABLE ALWAYS TRIGGER refuse_rewriting;"
      "ALTER TABLE stock.level ENABLE ALWAYS TRIGGER leave_as_it_is;"
      "ALTER TABLE stock.level ENABLE ALWAYS TRIGGER record_direct_updates");
  EXPECT_EQ(db_.reading({"adopted", "main"}).as_of, written - std::chrono::hours(24));
}

// Without commit timestamps, as after VACUUM FREEZE has forgotten them, what the leader recorded
// counts, and else when the movement was written.
class PostgresForgetful : public ::testing::Test {};

TEST_F(PostgresForgetful, what_the_server_does_not_know_was_recorded) {
  support::PostgresServer server({"track_commit_timestamp=off"});
  auto sql = server.connect();
  sql.exec(
      "INSERT INTO stock.location VALUES ('main', 'Main');"
      "INSERT INTO stock.incarnation (id) VALUES (4711)");
  sql.exec("INSERT INTO stock.level (sku, location, on_hand) VALUES ('tea', 'main', 1)");
  World world;
  Database db(world, Role::kPrimary, session_options(server.url()));
  const auto written = domain::DatabaseTime(microseconds(
      sql.number("SELECT (extract(epoch FROM at) * 1000000)::bigint FROM stock.movement")));
  EXPECT_EQ(db.reading({"tea", "main"}).as_of, written);
  EXPECT_EQ(db.movements({"tea", "main"})->movements[0].committed_at, written);

  sql.exec(
      "INSERT INTO stock.commit SELECT xid, at + interval '7 ms', at + interval '9 ms'"
      " FROM stock.movement");
  const auto committed = written + microseconds(7000);
  EXPECT_EQ(db.reading({"tea", "main"}).as_of, committed);
  EXPECT_EQ(db.levels()->readings[0].as_of, committed);
  EXPECT_EQ(db.movements({"tea", "main"})->movements[0].committed_at, committed);
  sql.exec("DELETE FROM stock.level");
  EXPECT_EQ(sql.number("SELECT count(*) FROM stock.movement"), 2);
}

}  // namespace
}  // namespace stock::postgres
