#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analytics/inbox.h"
#include "analytics/rollup.h"
#include "stock/v1/stock_service.pb.h"

namespace analytics {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr DatabaseTime kNoon(std::chrono::hours(12));

Sale sale(const char* sku, std::int64_t version, std::chrono::minutes after_noon,
          std::int64_t units) {
  return {.identity = {.key = {sku, "main"}, .version = version},
          .committed_at = kNoon + after_noon,
          .units = units};
}
Window window(const char* sku, DatabaseTime hour) { return {.key = {sku, "main"}, .hour = hour}; }

std::map<Identity, Sale> remembered(std::initializer_list<Sale> sales) {
  std::map<Identity, Sale> all;
  for (const Sale& sale : sales) all.emplace(sale.identity, sale);
  return all;
}

TEST(AnalyticsRollupTest, sales_of_a_key_and_an_hour_add_up) {
  const std::vector<Sale> batch = {sale("A", 2, 0min, 3), sale("A", 4, 59min, 4),
                                   sale("A", 6, 60min, 5), sale("B", 2, 1min, 6)};
  const Counting counting = count(batch, {});
  EXPECT_THAT(counting.changes,
              ElementsAre(Pair(window("A", kNoon), 7), Pair(window("A", kNoon + 1h), 5),
                          Pair(window("B", kNoon), 6)));
  EXPECT_EQ(counting.remember, batch);
  EXPECT_EQ(counting.counted, 4);
}

TEST(AnalyticsRollupTest, what_was_counted_is_not_counted_again) {
  const Sale old = sale("A", 2, 0min, 3);
  const Sale fresh = sale("A", 3, 0min, 4);
  const std::vector<Sale> batch = {old, fresh, fresh};
  const Counting counting = count(batch, remembered({old}));
  EXPECT_THAT(counting.changes, ElementsAre(Pair(window("A", kNoon), 4)));
  EXPECT_THAT(counting.remember, ElementsAre(fresh));
  EXPECT_EQ(counting.counted, 1);
  EXPECT_EQ(counting.duplicates, 2);
  EXPECT_EQ(counting.replaced, 0);
}

// The ledger lost a sale, and gave its version to another one.
TEST(AnalyticsRollupTest, another_sale_by_the_same_name_takes_its_place) {
  const std::vector<Sale> batch = {sale("A", 2, 70min, 5)};
  const Counting counting = count(batch, remembered({sale("A", 2, 0min, 3)}));
  EXPECT_THAT(counting.changes,
              ElementsAre(Pair(window("A", kNoon), -3), Pair(window("A", kNoon + 1h), 5)));
  EXPECT_EQ(counting.remember, batch);
  EXPECT_EQ(counting.replaced, 1);
  EXPECT_EQ(counting.counted, 0);
}

TEST(AnalyticsRollupTest, what_comes_to_nothing_is_no_change) {
  const std::vector<Sale> batch = {sale("A", 2, 5min, 3)};
  const Counting counting = count(batch, remembered({sale("A", 2, 0min, 3)}));
  EXPECT_THAT(counting.changes, IsEmpty());
  EXPECT_EQ(counting.remember, batch);
}

TEST(AnalyticsRollupTest, hours_begin_at_their_first_microsecond) {
  EXPECT_EQ(hour_of(kNoon), kNoon);
  EXPECT_EQ(hour_of(kNoon + 1us), kNoon);
  EXPECT_EQ(hour_of(kNoon - 1us), kNoon - 1h);
  EXPECT_EQ(hour_of(DatabaseTime(-1us)), DatabaseTime(-1h));
}

stock::v1::StreamStockMovementsResponse response(const std::string& token,
                                                 stock::v1::MovementKind kind, int units) {
  stock::v1::StreamStockMovementsResponse response;
  response.set_resume_token(token);
  stock::v1::Movement& movement = *response.add_movements();
  movement.mutable_key()->set_sku("A");
  movement.mutable_key()->set_location("main");
  movement.set_version(7);
  movement.set_kind(kind);
  movement.mutable_delta()->set_committed(units);
  movement.mutable_committed_at()->set_seconds(12 * 3600);
  movement.mutable_committed_at()->set_nanos(5000);
  return response;
}

TEST(AnalyticsInboxTest, what_is_waiting_becomes_one_batch) {
  Inbox inbox(10);
  EXPECT_TRUE(inbox.put(response("1", stock::v1::MOVEMENT_KIND_COMMIT, 3)));
  // Only a commit sells.
  EXPECT_TRUE(inbox.put(response("2", stock::v1::MOVEMENT_KIND_RELEASE, -3)));
  const auto batch = inbox.take();
  ASSERT_TRUE(batch);
  EXPECT_THAT(batch->sales, ElementsAre(Sale{.identity = {.key = {"A", "main"}, .version = 7},
                                             .committed_at = kNoon + 5us,
                                             .units = 3}));
  EXPECT_EQ(batch->movements, 2);
  EXPECT_EQ(batch->token, "2");
  EXPECT_FALSE(batch->reset);
  inbox.close(absl::OutOfRangeError("pruned"));
  EXPECT_FALSE(inbox.take());
  EXPECT_TRUE(absl::IsOutOfRange(inbox.status()));
}

TEST(AnalyticsInboxTest, a_watermark_of_before_a_reset_is_of_another_time) {
  Batch batch;
  stock::v1::StreamStockMovementsResponse told;
  told.mutable_watermark()->set_seconds(5);
  batch.add(told);
  EXPECT_EQ(batch.watermark, DatabaseTime(5s));
  told.Clear();
  told.set_reset(true);
  batch.add(told);
  EXPECT_EQ(batch.watermark, std::nullopt);
  EXPECT_TRUE(batch.reset);
}

TEST(AnalyticsInboxTest, nobody_waits_for_room_that_will_not_come) {
  Inbox inbox(1);
  EXPECT_TRUE(inbox.put(response("1", stock::v1::MOVEMENT_KIND_COMMIT, 3)));
  inbox.abandon();
  EXPECT_FALSE(inbox.put(response("2", stock::v1::MOVEMENT_KIND_COMMIT, 3)));
}

}  // namespace
}  // namespace analytics
