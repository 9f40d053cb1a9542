// What is kept of testimonies: the last one of the same by its own date, and not too many.
#include <map>

#include "integration/postgres_world.h"
#include "stock/postgres/testimony_store.h"

namespace stock::postgres {
namespace {

using ::testing::UnorderedElementsAre;

class PostgresTestimonyStore : public PostgresTest {
 protected:
  void TearDown() override { sql("DELETE FROM stock.testimony"); }

  static drift::KeptTestimony told(const std::string& witness, const std::string& instance,
                                   std::int64_t units, std::chrono::seconds sent) {
    drift::KeptTestimony kept{.incarnation = 4711};
    kept.testimony = {.witness = witness,
                      .instance = instance,
                      .key = {.sku = "shirt", .location = "main"},
                      .extent = drift::Extent::kAvailable};
    kept.testimony.counts.on_hand = units;
    kept.dates.sent = {domain::DatabaseTime(sent), domain::DatabaseTime(sent)};
    return kept;
  }
  // "witness instance units" of each.
  static std::vector<std::string> kept() {
    std::vector<std::string> rows;
    for (const auto& row : sql().query(
             "SELECT witness || ' ' || instance || ' ' || claim_counts[1] FROM stock.testimony")) {
      rows.push_back(row[0]);
    }
    return rows;
  }

  Session session_{options(), world_.local, world_.timers};
  TestimonyStore store_{session_};
};

TEST_F(PostgresTestimonyStore, only_what_is_newer_by_its_own_date_replaces) {
  ASSERT_TRUE(store_.keep(std::vector{told("offline", "a", 1, 60s)}).ok());
  ASSERT_TRUE(store_.keep(std::vector{told("offline", "a", 2, 50s)}).ok());
  EXPECT_THAT(kept(), UnorderedElementsAre("offline a 1"));
  ASSERT_TRUE(store_.keep(std::vector{told("offline", "a", 3, 70s)}).ok());
  EXPECT_THAT(kept(), UnorderedElementsAre("offline a 3"));
  // Dates of another history of the ledger do not compare.
  drift::KeptTestimony other = told("offline", "a", 4, 10s);
  other.incarnation = 4712;
  ASSERT_TRUE(store_.keep(std::vector{other}).ok());
  EXPECT_THAT(kept(), UnorderedElementsAre("offline a 4"));
}

TEST_F(PostgresTestimonyStore, of_each_witness_the_newest_stay_and_no_more_than_may) {
  ASSERT_TRUE(store_
                  .keep(std::vector{told("offline", "a", 1, 10s), told("offline", "b", 2, 30s),
                                    told("offline", "c", 3, 20s), told("offline", "d", 4, 20s),
                                    told("storefront", "a", 5, 5s)})
                  .ok());
  const auto rows = store_.prune(2);
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_THAT(kept(), UnorderedElementsAre("offline b 2", "offline d 4", "storefront a 5"));
  std::map<std::string, std::int64_t> counted;
  for (const auto& [witness, count] : *rows) counted[witness] = count;
  EXPECT_EQ(counted, (std::map<std::string, std::int64_t>{{"offline", 2}, {"storefront", 1}}));
}

}  // namespace
}  // namespace stock::postgres
