// What clients are told of history that was pruned.
#include "service_world.h"
#include "stock/rpc/token.h"
#include "support/stock_stream.h"
#include "support/stockctl.h"

namespace stock {
namespace {

using support::MovementStream;

constexpr int kOutOfRange = 11;

class ServicePruneTest : public ServiceTest {
 protected:
  // Everything that was superseded by now: the horizon itself cannot be moved as far.
  static void prune() {
    primary().connect().exec(
        "ALTER TABLE stock.horizon DISABLE TRIGGER check_horizon;"
        "UPDATE stock.horizon SET at = clock_timestamp();"
        "ALTER TABLE stock.horizon ENABLE ALWAYS TRIGGER check_horizon");
    std::string said;
    ASSERT_EQ(
        support::stockctl(
            {"prune", "--older-than", "1h", "--database-url", primary().url("postgres")}, said),
        0)
        << said;
  }
};

TEST_F(ServicePruneTest, the_past_before_the_horizon_is_refused_and_the_rest_is_exact) {
  StockdProcess stockd(primary_only());
  StockClient client(stockd.address());
  client.create_location("main", "Main");
  for (int i = 1; i <= 4; ++i) ASSERT_TRUE(client.adjust("lamp", "main", 10).ok());
  v1::ListStockMovementsRequest request;
  request.mutable_key()->set_sku("lamp");
  request.mutable_key()->set_location("main");
  request.mutable_consistency()->set_fully_consistent(true);
  const auto before = client.history(request);
  ASSERT_EQ(before.response.movements_size(), 4);
  ASSERT_NO_FATAL_FAILURE(prune());
  ASSERT_TRUE(client.adjust("lamp", "main", 10).ok());

  v1::Consistency past;
  *past.mutable_read_time() = before.response.movements(1).committed_at();
  const auto refused = client.get("lamp", "main", past);
  EXPECT_EQ(refused.code, kOutOfRange) << refused.message;
  EXPECT_EQ(refused.reason, "HISTORY_PRUNED");
  EXPECT_THAT(refused.message, HasSubstr("history is kept from 20"));
  ASSERT_TRUE(refused.metadata.contains("horizon"));
  past.set_version(3);
  EXPECT_EQ(client.get("lamp", "main", past).reason, "HISTORY_PRUNED");
  past.set_version(4);
  EXPECT_EQ(client.get("lamp", "main", past).response.level().counts().on_hand(), 40);
  past.set_version(6);
  EXPECT_EQ(client.get("lamp", "main", past).reason, "VERSION_NOT_FOUND");
  *past.mutable_read_time() = client.history(request).response.movements(0).committed_at();
  const auto later = client.get("lamp", "main", past);
  EXPECT_EQ(later.response.level().counts().on_hand(), 50) << later.message;
  EXPECT_EQ(client.history(request).response.movements_size(), 2);
  EXPECT_EQ(client.get("lamp", "main").response.level().counts().on_hand(), 50);
}

TEST_F(ServicePruneTest, of_a_token_that_is_not_remembered_no_loss_is_claimed) {
  StockdProcess stockd(primary_only());
  StockClient client(stockd.address());
  client.create_location("main", "Main");
  const std::string token = client.adjust("token", "main", 5).response.token();
  ASSERT_TRUE(client.adjust("token", "main", 5).ok());
  const double begun = metric(stockd, R"(stock_incarnations_begun_total{cause="new"})");
  primary().kill9();
  primary().start();
  ASSERT_TRUE(eventually(
      [&] { return metric(stockd, R"(stock_incarnations_begun_total{cause="new"})"); }, Gt(begun)));
  ASSERT_TRUE(
      eventually([&] { return client.get("token", "main", support::as_fresh_as(token)).ok(); }));
  auto lost = rpc::read_token(token);
  ASSERT_TRUE(lost);
  lost->request[0] ^= 1;
  const auto read = [&](const std::string& with) {
    return client.get("token", "main", support::as_fresh_as(with));
  };
  // Until it has heard of the crash, memory answers of what it knew before.
  EXPECT_TRUE(eventually([&] { return read(rpc::make_token(*lost)).reason; }, Eq("WRITE_LOST")));
  ASSERT_NO_FATAL_FAILURE(prune());
  const auto forgotten = read(token);
  EXPECT_EQ(forgotten.code, kOutOfRange) << forgotten.message;
  EXPECT_EQ(forgotten.reason, "HISTORY_PRUNED");
  // Later than all that was pruned: nothing excuses that it is not there.
  lost->write.xid += 1'000'000;
  EXPECT_EQ(read(rpc::make_token(*lost)).reason, "WRITE_LOST");
}

TEST_F(ServicePruneTest, a_stream_goes_on_only_where_nothing_was_pruned_before_it_came) {
  StockdProcess stockd(primary_only());
  StockClient client(stockd.address());
  client.create_location("main", "Main");
  v1::StreamStockMovementsRequest from_beginning;
  from_beginning.set_from_beginning(true);
  const auto position = [&](const v1::StreamStockMovementsRequest& request) {
    MovementStream stream(stockd.address(), request);
    const auto all = stream.read_until([](const auto& r) { return r.has_watermark(); });
    return all.empty() ? std::string() : all.back().resume_token();
  };
  for (int i = 1; i <= 3; ++i) ASSERT_TRUE(client.adjust("stream", "main", 1).ok());
  v1::StreamStockMovementsRequest early;
  early.set_resume_token(position(from_beginning));
  for (int i = 4; i <= 6; ++i) ASSERT_TRUE(client.adjust("stream", "main", 1).ok());
  v1::StreamStockMovementsRequest late;
  late.set_resume_token(position(early));
  ASSERT_NE(late.resume_token(), "");
  ASSERT_NO_FATAL_FAILURE(prune());

  MovementStream refused(stockd.address(), early);
  const support::Ended ended = refused.end();
  EXPECT_EQ(ended.code, kOutOfRange) << ended.message;
  EXPECT_EQ(ended.reason, "HISTORY_PRUNED");

  ASSERT_TRUE(client.adjust("stream", "main", 1).ok());
  const auto versions = [&](const v1::StreamStockMovementsRequest& request) {
    std::vector<std::int64_t> versions;
    MovementStream stream(stockd.address(), request);
    stream.read_until([&](const v1::StreamStockMovementsResponse& response) {
      for (const auto& movement : response.movements()) {
        if (movement.key().sku() == "stream") versions.push_back(movement.version());
      }
      return !versions.empty() && versions.back() == 7;
    });
    return versions;
  };
  EXPECT_THAT(versions(late), ::testing::ElementsAre(7));
  EXPECT_THAT(versions(from_beginning), ::testing::ElementsAre(6, 7));
}

}  // namespace
}  // namespace stock
