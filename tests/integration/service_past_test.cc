// Reads of the past through the API: at an instant, and by version.
#include "service_world.h"

namespace stock {
namespace {

class ServicePastTest : public ServiceTest {
 protected:
  static v1::Consistency at(const google::protobuf::Timestamp& time) {
    v1::Consistency consistency;
    *consistency.mutable_read_time() = time;
    return consistency;
  }
  static v1::Consistency of_version(std::int64_t version) {
    v1::Consistency consistency;
    consistency.set_version(version);
    return consistency;
  }
  static google::protobuf::Timestamp after(google::protobuf::Timestamp time, int micros) {
    const std::int64_t nanos = time.nanos() + std::int64_t{1000} * micros;
    time.set_seconds(time.seconds() + nanos / 1'000'000'000);
    time.set_nanos(static_cast<int>(nanos % 1'000'000'000));
    return time;
  }
  // Of each version, the newest last.
  static std::vector<google::protobuf::Timestamp> commits(StockClient& client,
                                                          const std::string& sku) {
    v1::ListStockMovementsRequest request;
    request.mutable_key()->set_sku(sku);
    request.mutable_key()->set_location("main");
    request.mutable_consistency()->set_fully_consistent(true);
    std::vector<google::protobuf::Timestamp> commits;
    const auto history = client.history(request);
    for (const auto& movement : history.response.movements()) {
      commits.insert(commits.begin(), movement.committed_at());
    }
    return commits;
  }
};

TEST_F(ServicePastTest, what_was_true_at_an_instant_is_told_by_the_ledger) {
  StockdProcess stockd(all_layers());
  StockClient client(stockd.address());
  client.create_location("main", "Main");
  client.create_location("north", "North");
  for (const int delta : {120, -60, -18}) ASSERT_TRUE(client.adjust("lamp", "main", delta).ok());
  ASSERT_TRUE(client.adjust("lamp", "north", 5).ok());
  const auto times = commits(client, "lamp");
  ASSERT_EQ(times.size(), 3u);
  const std::vector<std::int64_t> counts = {120, 60, 42};
  for (std::size_t i = 0; i < times.size(); ++i) {
    const auto read = client.get("lamp", "main", at(times[i]));
    ASSERT_TRUE(read.ok()) << read.message;
    const auto& level = read.response.level();
    EXPECT_EQ(level.counts().on_hand(), counts[i]);
    EXPECT_EQ(level.version(), static_cast<std::int64_t>(i) + 1);
    EXPECT_EQ(level.provenance().true_through().SerializeAsString(), times[i].SerializeAsString());
    EXPECT_TRUE(level.provenance().in_transition()) << "committed, and perhaps not visible yet";
    EXPECT_TRUE(read.response.provenance().in_transition());
    EXPECT_THAT(trail_of(read.response.provenance()),
                StartsWith("memory bypassed, redis bypassed, replica "));
  }
  // The leader's next heartbeats record when it was seen: from then on it is beyond doubt.
  EXPECT_TRUE(eventually(
      [&] {
        const auto newest = client.get("lamp", "main", at(times[2]));
        const auto& seen = newest.response.level().provenance();
        if (!seen.has_seen_by()) return std::string("not recorded");
        const auto later = client.get("lamp", "main", at(after(seen.seen_by(), 1)));
        if (!later.ok()) return later.message;
        return std::string(later.response.level().provenance().in_transition() ? "in transition"
                                                                               : "settled");
      },
      Eq("settled")));

  v1::BatchGetStockTotalsRequest totals;
  totals.add_skus("lamp");
  *totals.mutable_consistency() = at(times[1]);
  const auto total = client.totals(totals);
  ASSERT_TRUE(total.ok()) << total.message;
  EXPECT_EQ(total.response.totals(0).counts().on_hand(), 60) << "the north had none yet";

  v1::CheckAvailabilityRequest check;
  auto& line = *check.add_lines();
  line.set_sku("lamp");
  line.set_location("main");
  line.set_quantity(100);
  *check.mutable_consistency() = at(times[0]);
  EXPECT_TRUE(client.check(check).response.available());

  v1::BatchGetStockLevelsRequest batch;
  for (const char* place : {"main", "north", "main"}) {
    auto& key = *batch.add_keys();
    key.set_sku("lamp");
    key.set_location(place);
  }
  *batch.mutable_consistency() = at(times[2]);
  const auto levels = client.batch(batch).response;
  ASSERT_EQ(levels.levels_size(), 3);
  EXPECT_EQ(levels.levels(0).counts().on_hand(), 42);
  EXPECT_FALSE(levels.levels(1).exists());
  EXPECT_EQ(levels.levels(2).counts().on_hand(), 42);
}

TEST_F(ServicePastTest, versions_are_told_with_how_long_they_were_true) {
  StockdProcess stockd(all_layers());
  StockClient client(stockd.address());
  client.create_location("main", "Main");
  ASSERT_TRUE(client.adjust("vase", "main", 3).ok());
  ASSERT_TRUE(client.adjust("vase", "main", 4).ok());
  const auto times = commits(client, "vase");
  ASSERT_EQ(times.size(), 2u);
  // A replica that has not heard of the second yet says when it looked.
  support::Called<v1::GetStockLevelResponse> first;
  EXPECT_TRUE(eventually(
      [&] {
        first = client.get("vase", "main", of_version(1));
        return first.response.level().provenance().true_through().SerializeAsString();
      },
      Eq(times[1].SerializeAsString())));
  EXPECT_EQ(first.response.level().counts().on_hand(), 3) << first.message;
  EXPECT_EQ(client.get("vase", "main", of_version(2)).response.level().counts().on_hand(), 7);
  const auto third = client.get("vase", "main", of_version(3));
  EXPECT_EQ(third.code, kNotFound);
  EXPECT_EQ(third.reason, "VERSION_NOT_FOUND");
  EXPECT_EQ(client.get("vase", "main", of_version(0)).code, kInvalidArgument);
}

TEST_F(ServicePastTest, what_cannot_be_told_is_refused_with_words) {
  StockdProcess stockd(all_layers());
  StockClient client(stockd.address());
  client.create_location("main", "Main");
  ASSERT_TRUE(client.adjust("clock", "main", 1).ok());
  const auto now = client.get("clock", "main", fully_consistent()).response.level().provenance();
  const auto future = client.get("clock", "main", at(after(now.true_through(), 1'800'000'000)));
  EXPECT_EQ(future.code, kInvalidArgument);
  EXPECT_THAT(future.message, HasSubstr("the database's clock reads 20"));
  google::protobuf::Timestamp absurd;
  absurd.set_seconds(INT64_MAX);
  EXPECT_EQ(client.get("clock", "main", at(absurd)).code, kInvalidArgument);

  v1::ListStockLevelsRequest list;
  *list.mutable_consistency() = at(now.true_through());
  EXPECT_THAT(client.list(list).message, HasSubstr("read_time"));
  EXPECT_EQ(client.list(list).code, kInvalidArgument);
  v1::BatchGetStockLevelsRequest batch;
  batch.add_keys()->set_sku("clock");
  batch.mutable_keys(0)->set_location("main");
  *batch.mutable_consistency() = of_version(1);
  EXPECT_THAT(client.batch(batch).message, HasSubstr("GetStockLevel only"));
}

}  // namespace
}  // namespace stock
