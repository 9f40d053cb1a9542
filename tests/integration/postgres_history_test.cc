#include "integration/postgres_world.h"
#include "stock/postgres/ledger_history.h"

namespace stock::postgres {
namespace {

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
  EXPECT_EQ(moved.versions.at(1).counts.on_hand, 1);
  EXPECT_EQ(moved.versions.at(2).counts.on_hand, 2);
  EXPECT_EQ(moved.versions.at(3).counts.on_hand, 3);
  EXPECT_TRUE(moved.versions.at(3).exists);
  EXPECT_FALSE(moved.versions.at(5).exists);
  EXPECT_FALSE(moved.versions.contains(4));
  EXPECT_THAT((*histories)[2].versions, IsEmpty());
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
