#include <fmt/format.h>

#include "integration/postgres_world.h"
#include "stock/postgres/sql_parts.h"

namespace stock::postgres {
namespace {

class PostgresReading : public PostgresTest {};

TEST_F(PostgresReading, a_level_comes_with_counts_version_and_dates) {
  damage_ledger();  // what is reserved and committed is explained by nothing
  sql("INSERT INTO stock.level (sku, location, on_hand, reserved, committed, safety_stock,"
      " backorder_limit) VALUES ('A', 'main', 120, 1, 2, 3, 4);"
      "UPDATE stock.level SET on_hand = 119 WHERE sku = 'A'");
  Database db = database();
  const domain::Reading reading = db.reading({"A", "main"});
  EXPECT_TRUE(reading.exists);
  EXPECT_EQ(reading.version, 2);
  EXPECT_EQ(reading.counts, (domain::Counts{119, 1, 2, 3, 4}));
  EXPECT_EQ(reading.incarnation, 4711u);
  const std::int64_t committed_at = primary().connect().number(
      "SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000000"
      " FROM stock.movement WHERE sku = 'A' AND version = 2");
  EXPECT_EQ(reading.as_of.time_since_epoch().count(), committed_at);
  EXPECT_GE(reading.true_through, reading.as_of);
}

TEST_F(PostgresReading, instants_travel_to_the_microsecond) {
  EXPECT_EQ(sql().number(fmt::format(
                "SELECT count(*) FROM ("
                " SELECT '1971-01-01'::timestamptz + random() * interval '115 years' AS instant"
                " FROM generate_series(1, 200000) UNION ALL"
                " SELECT clock_timestamp() + n * interval '1 microsecond'"
                " FROM generate_series(-100000, 100000) AS n) AS instants"
                " WHERE {} <> (extract(epoch FROM instant) * 1000000)::bigint",
                sql::micros("instant"))),
            0);
}

// A savepoint's rows are written by a subtransaction, which commits when all do; here, as long
// after the change as a row that was copied may be.
TEST_F(PostgresReading, what_was_written_after_a_savepoint_is_dated_by_its_commit) {
  support::Sql other = primary().connect();
  other.exec(
      "BEGIN; SAVEPOINT s;"
      "INSERT INTO stock.level (sku, location, on_hand) VALUES ('saved', 'main', 7)");
  sql("SELECT pg_sleep_until(clock_timestamp() + interval '1.2 s')");
  other.exec("COMMIT");
  Database db = database();
  const std::int64_t committed = sql().number(
      "SELECT (extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000000)::bigint "
      "FROM stock.level WHERE sku = 'saved'");
  EXPECT_EQ(db.reading({"saved", "main"}).as_of.time_since_epoch().count(), committed);
  const auto page = db.movements({"saved", "main"});
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->movements.at(0).committed_at.time_since_epoch().count(), committed);
}

// A version is as old as its movement, whatever else is done to the row.
TEST_F(PostgresReading, an_update_that_changes_nothing_does_not_date_a_level_anew) {
  sql("INSERT INTO stock.level (sku, location, on_hand) VALUES ('same', 'main', 7)");
  Database db = database();
  const domain::Reading before = db.reading({"same", "main"});
  sql("UPDATE stock.level SET on_hand = on_hand WHERE sku = 'same';"
      "UPDATE stock.level SET changed_at = clock_timestamp() WHERE sku = 'same'");
  const domain::Reading after = db.reading({"same", "main"});
  EXPECT_EQ(after.version, 1);
  EXPECT_EQ(after.as_of, before.as_of);
}

// VACUUM removes commit timestamps that no database of the cluster has unfrozen rows of any more.
TEST_F(PostgresReading, what_the_server_forgot_of_a_commit_the_leader_has_recorded) {
  sql("INSERT INTO stock.level (sku, location, on_hand) VALUES ('old', 'main', 7);"
      "INSERT INTO stock.level (sku, location, on_hand) VALUES ('old gone', 'main', 7);"
      "DELETE FROM stock.level WHERE sku = 'old gone'");
  Database db = database();
  const domain::Reading level = db.reading({"old", "main"});
  const domain::Reading tombstone = db.reading({"old gone", "main"});
  sql("INSERT INTO stock.commit SELECT DISTINCT xid, pg_xact_commit_timestamp(xid::xid),"
      " now() FROM stock.movement WHERE sku LIKE 'old%'");
  sql("ALTER DATABASE template0 ALLOW_CONNECTIONS true");
  for (const char* name : {"template0", "template1", "postgres", "stock"}) {
    support::Sql(primary().url("postgres").substr(0, primary().url("postgres").rfind('/') + 1) +
                 name)
        .exec("VACUUM FREEZE");
  }
  ASSERT_EQ(primary().connect().value("SELECT pg_xact_commit_timestamp(xid::xid) IS NULL"
                                      " FROM stock.movement WHERE sku = 'old'"),
            "t");
  EXPECT_EQ(db.reading({"old", "main"}).as_of, level.as_of);
  EXPECT_EQ(db.reading({"old gone", "main"}).as_of, tombstone.as_of);
}

TEST_F(PostgresReading, absence_is_a_statement_too) {
  Database db = database();
  const domain::Reading reading = db.reading({"never", "nowhere"});
  EXPECT_FALSE(reading.exists);
  EXPECT_EQ(reading.version, 0);
  EXPECT_EQ(reading.as_of, domain::DatabaseTime());
  EXPECT_GT(reading.true_through, domain::DatabaseTime());
}

TEST_F(PostgresReading, a_deleted_level_keeps_its_tombstones_version_and_date) {
  sql("INSERT INTO stock.level (sku, location, on_hand) VALUES ('gone', 'main', 7);"
      "DELETE FROM stock.level WHERE sku = 'gone'");
  Database db = database();
  const domain::Reading reading = db.reading({"gone", "main"});
  EXPECT_FALSE(reading.exists);
  EXPECT_EQ(reading.version, 2);
  EXPECT_EQ(reading.counts, domain::Counts());
  EXPECT_GT(reading.as_of, domain::DatabaseTime());
}

TEST_F(PostgresReading, a_thousand_keys_are_one_statement_answered_in_order) {
  sql("INSERT INTO stock.level (sku, location, on_hand)"
      " SELECT 'K' || i, 'main', i FROM generate_series(0, 999, 2) i");
  std::vector<Key> keys;
  for (int i = 999; i >= 0; --i) keys.push_back({"K" + std::to_string(i), "main"});
  Database db = database();
  const auto answered = db.read(keys);
  ASSERT_EQ(answered.detail, "");
  for (int i = 0; i < 1000; ++i) {
    const auto& [outcome, reading, shows] = answered.answers[static_cast<std::size_t>(999 - i)];
    ASSERT_TRUE(shows);
    ASSERT_EQ(outcome, domain::Outcome::kHit);
    ASSERT_EQ(reading.exists, i % 2 == 0);
    ASSERT_EQ(reading.counts.on_hand, i % 2 == 0 ? i : 0);
  }
}

TEST_F(PostgresReading, names_mean_themselves_whatever_is_in_them) {
  const std::vector<std::string> names = {
      "it's",         "\"quoted\"",      "back\\slash", "\\\"", "{braces}", "a,b", " space ",
      "BANK CHARGES", "Zażółć 🛒", "NULL",        "null", "$1",       "%s",  "--"};
  std::vector<Key> keys;
  std::int64_t on_hand = 0;
  for (const std::string& name : names) {
    ++on_hand;
    keys.push_back({name, "main"});
    sql("INSERT INTO stock.level (sku, location, on_hand) VALUES (" + literal(name) + ", 'main', " +
        std::to_string(on_hand) + ")");
  }
  Database db = database();
  const auto answered = db.read(keys);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    EXPECT_TRUE(answered.answers[i].reading.exists) << names[i];
    EXPECT_EQ(answered.answers[i].reading.counts.on_hand, static_cast<std::int64_t>(i) + 1);
  }
}

TEST_F(PostgresReading, the_newest_visible_heartbeat_is_told) {
  sql("INSERT INTO stock.heartbeat VALUES"
      " (41, now() - interval '1 s', pg_current_snapshot(), 4711),"
      " (42, now(), pg_current_snapshot(), 4711)");
  Database db = database();
  EXPECT_EQ(db.reading({"A", "main"}).heartbeat, 42);
}

TEST_F(PostgresReading, each_statement_measures_the_clock_and_names_the_incarnation) {
  ASSERT_FALSE(world_.clock.age(domain::DatabaseTime()));
  Database db = database();
  const domain::Reading reading = db.reading({"A", "main"});
  EXPECT_EQ(world_.identity.current(), 4711u);
  const auto age = world_.clock.age(reading.true_through);
  ASSERT_TRUE(age);
  EXPECT_LT(age->worst(), 10s);
}

TEST_F(PostgresReading, a_read_that_nobody_waits_for_is_not_made) {
  Database db = database();
  const std::vector<Key> keys = {{"A", "main"}};
  std::vector<layers::Answer> answers(1);
  std::promise<std::string> done;
  const std::atomic<bool> cancelled = true;
  db.layer.read(keys, answers, {.cancelled = &cancelled},
                [&](std::string detail) { done.set_value(std::move(detail)); });
  EXPECT_THAT(done.get_future().get(), HasSubstr("has gone"));
  EXPECT_EQ(answers[0].outcome, domain::Outcome::kMiss);
}

TEST_F(PostgresReading, a_read_whose_time_is_over_is_a_timeout) {
  Database db = database();
  const std::vector<Key> keys = {{"A", "main"}};
  std::vector<layers::Answer> answers(1);
  std::promise<void> done;
  db.layer.read(keys, answers, {.deadline = world_.local.now()},
                [&](const std::string&) { done.set_value(); });
  done.get_future().get();
  EXPECT_EQ(answers[0].outcome, domain::Outcome::kTimeout);
}

TEST_F(PostgresReading, a_pool_that_ends_answers_everything) {
  std::vector<std::future<absl::Status>> answers;
  auto blocker = primary().connect();
  blocker.exec("BEGIN; LOCK TABLE stock.location");
  {
    Database db(world_, Role::kPrimary, options(), 1);
    for (int i = 0; i < 10; ++i) {
      auto promise = std::make_shared<std::promise<absl::Status>>();
      answers.push_back(promise->get_future());
      db.layer.locations({}, {}, [promise](absl::StatusOr<layers::LocationPage> page) {
        promise->set_value(page.status());
      });
    }
  }
  for (auto& answer : answers) EXPECT_TRUE(absl::IsUnavailable(answer.get()));
}

TEST_F(PostgresReading, a_full_queue_refuses_but_first_drops_what_nobody_waits_for) {
  Pool pool({.session = options(), .connections = 1, .queue = 1}, world_.local, world_.timers);
  std::promise<void> started;
  std::promise<void> release;
  std::promise<absl::Status> expired;
  std::promise<absl::Status> last;
  pool.submit(domain::LocalTime::max(), [&](const absl::StatusOr<Session*>&) {
    started.set_value();
    release.get_future().wait();
  });
  started.get_future().wait();
  pool.submit(world_.local.now(), [&](const absl::StatusOr<Session*>& session) {
    expired.set_value(session.status());
  });
  pool.submit(domain::LocalTime::max(),
              [&](const absl::StatusOr<Session*>& session) { last.set_value(session.status()); });
  EXPECT_TRUE(absl::IsDeadlineExceeded(expired.get_future().get()));
  absl::Status refused;
  pool.submit(domain::LocalTime::max(),
              [&](const absl::StatusOr<Session*>& session) { refused = session.status(); });
  EXPECT_TRUE(absl::IsResourceExhausted(refused));
  EXPECT_EQ(pool.stats().queued, 1u);
  EXPECT_EQ(pool.stats().busy, 1u);
  release.set_value();
  EXPECT_TRUE(last.get_future().get().ok());
}

}  // namespace
}  // namespace stock::postgres
