#include "integration/postgres_world.h"
#include "stock/postgres/ledger_history.h"

namespace stock::postgres {
namespace {

using ::testing::UnorderedElementsAreArray;

class PostgresHistory : public PostgresTest {
 protected:
  Session session_{options(), world_.local, world_.timers};
  LedgerHistory history_{session_, world_.knowledge};
};

TEST_F(PostgresHistory, versions_and_their_successors_are_told) {
  sql("INSERT INTO stock.level (sku, location, on_hand) VALUES ('a,\"b\"', 'main', 1);"
      "UPDATE stock.level SET on_hand = 2; UPDATE stock.level SET on_hand = 3;"
      "UPDATE stock.level SET on_hand = 4; DELETE FROM stock.level");
  const std::vector<drift::HistoryQuestion> questions = {
      {.key = {"never", "main"}, .versions = {1}},
      {.key = {"a,\"b\"", "main"}, .versions = {1, 2, 5, 9}},
      {.key = {"a,\"b\"", "north"}, .versions = {}}};
  const auto histories = history_.histories(questions);
  ASSERT_TRUE(histories.ok()) << histories.status();
  ASSERT_THAT(*histories, SizeIs(3));
  for (const drift::KeyHistory& history : *histories) {
    EXPECT_EQ(history.incarnation, world_.identity.current());
  }
  EXPECT_NE(world_.identity.current(), 0U);
  const drift::KeyHistory& never = (*histories)[0];
  EXPECT_EQ(never.newest, 0);
  EXPECT_FALSE(never.current.exists);
  EXPECT_EQ(never.current.committed_at, domain::DatabaseTime());
  EXPECT_THAT(never.versions, IsEmpty());

  const drift::KeyHistory& moved = (*histories)[1];
  EXPECT_EQ(moved.newest, 5);
  EXPECT_FALSE(moved.current.exists);
  EXPECT_GT(moved.current.committed_at, domain::DatabaseTime());
  ASSERT_THAT(moved.versions, SizeIs(4));
  for (const auto& [version, fact] : moved.versions) {
    EXPECT_GT(fact.written_at, domain::DatabaseTime());
    EXPECT_LE(fact.written_at, fact.committed_at);
  }
  EXPECT_EQ(moved.versions.at(1).counts.on_hand, 1);
  EXPECT_EQ(moved.versions.at(2).counts.on_hand, 2);
  EXPECT_EQ(moved.versions.at(3).counts.on_hand, 3);
  EXPECT_TRUE(moved.versions.at(3).exists);
  EXPECT_FALSE(moved.versions.at(5).exists);
  EXPECT_FALSE(moved.versions.contains(4));
  EXPECT_THAT((*histories)[2].versions, IsEmpty());
}

TEST_F(PostgresHistory, by_when_everybody_saw_a_version_is_told_where_it_was_recorded) {
  sql("INSERT INTO stock.level (sku, location, on_hand) VALUES ('seen', 'main', 1)");
  sql("UPDATE stock.level SET on_hand = 2 WHERE sku = 'seen'");
  sql("INSERT INTO stock.commit (xid, committed_at, seen_by, heartbeat)"
      " SELECT xid, at, '2100-01-01Z'::timestamptz, 7 FROM stock.movement"
      " WHERE sku = 'seen' AND version = 2");
  const std::vector<drift::HistoryQuestion> questions = {
      {.key = {"seen", "main"}, .versions = {1}}};
  const auto histories = history_.histories(questions);
  ASSERT_TRUE(histories.ok()) << histories.status();
  const drift::KeyHistory& history = histories->front();
  EXPECT_EQ(history.versions.at(1).seen_by, std::nullopt);
  EXPECT_EQ(history.versions.at(1).shown_by, std::nullopt);
  EXPECT_EQ(history.versions.at(2).seen_by, domain::DatabaseTime(4102444800s));
  EXPECT_EQ(history.versions.at(2).shown_by, 7);
  EXPECT_EQ(history.current.shown_by, 7);
  EXPECT_GT(history.versions.at(1).xid, 3U);
  EXPECT_GT(history.versions.at(2).xid, history.versions.at(1).xid);
  sql("DELETE FROM stock.level");
}

TEST_F(PostgresHistory, once_the_clock_was_set_nothing_is_said_until_another_incarnation) {
  const std::vector<drift::HistoryQuestion> questions = {{.key = {"a", "main"}, .versions = {}}};
  ASSERT_TRUE(history_.histories(questions).ok());
  world_.identity.clock_was_set(world_.identity.current());
  EXPECT_TRUE(absl::IsUnavailable(history_.histories(questions).status()));
  world_.identity.clock_was_set(1);  // an earlier one
  EXPECT_TRUE(history_.histories(questions).ok());
}

TEST_F(PostgresHistory, of_the_transactions_under_way_those_are_told_that_may_be_writing) {
  const support::PostgresServer server({"max_prepared_transactions=2"});
  server.connect().exec("INSERT INTO stock.location VALUES ('main', 'Main')");
  World world;
  Session session(session_options(server.url()), world.local, world.timers);
  LedgerHistory history(session, world.knowledge);
  const auto begin = [](support::Sql& sql, const std::string& statement) {
    sql.exec("BEGIN; " + statement);
    return static_cast<domain::Xid>(sql.number("SELECT pg_current_xact_id()::text::bigint"));
  };
  support::Sql forgotten = server.connect();
  support::Sql reading = server.connect();
  support::Sql writing = server.connect();
  support::Sql beating = server.connect();
  support::Sql prepared = server.connect();
  begin(forgotten, "INSERT INTO stock.location VALUES ('north', 'North')");
  begin(reading, "SELECT FROM stock.movement, stock.heartbeat");
  const std::vector<domain::Xid> writers = {
      begin(writing, "INSERT INTO stock.level (sku, location) VALUES ('a', 'main')"),
      begin(beating, "UPDATE stock.heartbeat SET number = number"),
      begin(prepared, "INSERT INTO stock.level (sku, location) VALUES ('b', 'main')")};
  prepared.exec("PREPARE TRANSACTION 'held'");
  auto told = history.writers();
  ASSERT_TRUE(told.ok()) << told.status();
  EXPECT_THAT(*told, UnorderedElementsAreArray(writers));

  writing.exec("ROLLBACK");
  beating.exec("COMMIT");
  told = history.writers();
  ASSERT_TRUE(told.ok()) << told.status();
  EXPECT_THAT(*told, ElementsAre(writers.back()));
  prepared.exec("COMMIT PREPARED 'held'");
  told = history.writers();
  ASSERT_TRUE(told.ok()) << told.status();
  EXPECT_THAT(*told, IsEmpty());
}

TEST_F(PostgresHistory, no_questions_have_no_answers) {
  const auto histories = history_.histories({});
  ASSERT_TRUE(histories.ok()) << histories.status();
  EXPECT_THAT(*histories, IsEmpty());
}

TEST_F(PostgresHistory, keys_come_in_order_of_sku_and_location) {
  sql("INSERT INTO stock.level (sku, location) VALUES"
      " ('x', 'north'), ('x', 'main'), ('B', 'main'), ('y', 'main')");
  const auto keys = history_.keys_after({}, 3);
  ASSERT_TRUE(keys.ok()) << keys.status();
  EXPECT_THAT(*keys, ElementsAre(Key{"B", "main"}, Key{"x", "main"}, Key{"x", "north"}));
  EXPECT_THAT(*history_.keys_after({"x", "main"}, 10),
              ElementsAre(Key{"x", "north"}, Key{"y", "main"}));
  EXPECT_THAT(*history_.keys_after({"z", ""}, 10), IsEmpty());
}

}  // namespace
}  // namespace stock::postgres
