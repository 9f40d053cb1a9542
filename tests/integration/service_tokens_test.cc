// Tokens: a write returns one, and whatever layer answers a read with it shows that write.
#include "service_world.h"
#include "stock/rpc/token.h"
#include "support/tcp_gate.h"

namespace stock {
namespace {

class ServiceTokensTest : public ServiceTest {
 protected:
  static v1::Consistency showing(const std::string& token, bool allow_stale = false) {
    v1::Consistency consistency;
    consistency.set_at_least_as_fresh(token);
    consistency.set_allow_stale(allow_stale);
    return consistency;
  }
};

TEST_F(ServiceTokensTest, a_read_with_a_token_shows_its_write_whichever_process_answers) {
  StockdProcess one(all_layers());
  StockdProcess two(all_layers());
  StockClient writer(one.address());
  StockClient reader(two.address());
  writer.create_location("main", "Main");
  reader.get("tokens", "main");
  for (int i = 1; i <= 50; ++i) {
    const auto written = writer.adjust("tokens", "main", 1);
    ASSERT_TRUE(written.ok()) << written.message;
    ASSERT_FALSE(written.response.token().empty());
    const auto read = reader.get("tokens", "main", showing(written.response.token()));
    ASSERT_TRUE(read.ok()) << read.message;
    ASSERT_EQ(read.response.level().version(), i) << trail_of(read.response.provenance());
  }
}

TEST_F(ServiceTokensTest, once_the_feed_shows_the_write_memory_answers) {
  StockdProcess stockd(all_layers());
  StockClient client(stockd.address());
  client.create_location("main", "Main");
  const auto written = client.adjust("near", "main", 3);
  const auto consistency = showing(written.response.token());
  EXPECT_TRUE(eventually(
      [&] { return trail_of(client.get("near", "main", consistency).response.provenance()); },
      Eq("memory hit")));
  EXPECT_EQ(client.get("near", "main", consistency).response.level().counts().on_hand(), 3);
}

TEST_F(ServiceTokensTest, every_kind_of_read_takes_the_tokens_of_every_kind_of_write) {
  StockdProcess stockd(all_layers());
  StockClient client(stockd.address());
  client.create_location("main", "Main");

  v1::SetStockRequest set;
  set.mutable_key()->set_sku("all");
  set.mutable_key()->set_location("main");
  set.set_on_hand(7);
  const auto counted = client.set(set);
  v1::BatchGetStockLevelsRequest batch;
  *batch.add_keys() = set.key();
  *batch.mutable_consistency() = showing(counted.response.token());
  EXPECT_EQ(client.batch(batch).response.levels(0).counts().on_hand(), 7);

  v1::ImportStockLevelsRequest import;
  auto& row = *import.add_rows();
  *row.mutable_key() = set.key();
  row.set_on_hand(8);
  const auto imported = client.import(import);
  v1::CheckAvailabilityRequest check;
  auto& line = *check.add_lines();
  line.set_sku("all");
  line.set_quantity(9);
  *check.mutable_consistency() = showing(imported.response.token());
  EXPECT_EQ(client.check(check).response.lines(0).shortfall(), 1);

  // The location is newer than whatever list of them is known.
  for (int i = 0; i < 10; ++i) {
    const std::string place = "new" + std::to_string(i);
    client.create_location(place);
    v1::BatchGetStockTotalsRequest totals;
    totals.add_skus("all");
    const auto moved = client.adjust("all", place, 1);
    ASSERT_TRUE(moved.ok()) << moved.message;
    *totals.mutable_consistency() = showing(moved.response.token());
    const auto total = client.totals(totals);
    ASSERT_TRUE(total.ok()) << total.message;
    ASSERT_EQ(total.response.totals(0).counts().on_hand(), 9 + i);
  }

  const auto last = client.adjust("all", "main", -8);
  v1::ListStockLevelsRequest list;
  list.set_location("main");
  list.set_sku_prefix("all");
  *list.mutable_consistency() = showing(last.response.token());
  EXPECT_EQ(client.list(list).response.levels(0).version(), 3);
  v1::ListStockMovementsRequest history;
  *history.mutable_key() = set.key();
  *history.mutable_consistency() = showing(last.response.token());
  EXPECT_EQ(client.history(history).response.movements(0).version(), 3);
}

TEST_F(ServiceTokensTest, a_replayed_request_returns_the_token_of_the_original) {
  StockdProcess stockd(primary_only());
  StockClient client(stockd.address());
  client.create_location("main", "Main");
  constexpr const char* kId = "3f2b0c9e-7c1d-4f6a-9a54-0d6c4d1f2e77";
  const auto first = client.adjust("replayed", "main", 1, kId);
  ASSERT_TRUE(client.adjust("replayed", "main", 1).ok());
  const auto again = client.adjust("replayed", "main", 1, kId);
  EXPECT_TRUE(again.response.replayed());
  EXPECT_EQ(again.response.token(), first.response.token());
}

TEST_F(ServiceTokensTest, what_is_no_token_of_this_ledger_is_refused_with_the_reason) {
  StockdProcess stockd(primary_only());
  StockClient client(stockd.address());
  client.create_location("main", "Main");
  for (const std::string token : {"", "x", "not a token", "AQAAAAAAAAAAAAAAAAAAAAAA"}) {
    const auto read = client.get("tea", "main", showing(token, true));
    EXPECT_EQ(read.code, kInvalidArgument) << token;
    EXPECT_EQ(read.reason, "TOKEN_MALFORMED") << token;
  }
  const auto written = client.adjust("tea", "main", 1);
  auto sql = primary().connect();
  const std::string id = sql.value("UPDATE stock.ledger SET id = id + 1 RETURNING id - 1");
  const auto elsewhere = client.adjust("tea", "main", 1);
  const auto foreign = client.get("tea", "main", showing(written.response.token()));
  EXPECT_EQ(foreign.code, kInvalidArgument);
  EXPECT_EQ(foreign.reason, "TOKEN_OF_ANOTHER_LEDGER");
  EXPECT_TRUE(client.get("tea", "main", showing(elsewhere.response.token())).ok());
  sql.exec("UPDATE stock.ledger SET id = " + id);
  ASSERT_TRUE(client.adjust("tea", "main", 1).ok());  // and learns it again
}

TEST_F(ServiceTokensTest, in_another_incarnation_the_ledger_says_whether_it_holds_the_write) {
  StockdProcess stockd(all_layers());
  StockClient client(stockd.address());
  client.create_location("main", "Main");
  const auto kept = client.adjust("history", "main", 5);
  const auto lost = client.adjust("history", "main", 1);
  ASSERT_TRUE(kept.ok() && lost.ok());
  // As a failover that lost a write would leave it.
  auto sql = primary().connect();
  sql.exec("DELETE FROM stock.request WHERE id = '" + lost.response.request_id() + "'");
  sql.exec("DELETE FROM stock.incarnation");
  ASSERT_TRUE(eventually([&] { return client.adjust("history", "main", 1).ok(); }, Eq(true)));
  ASSERT_TRUE(eventually(
      [&] { return client.get("history", "main", showing(lost.response.token())).reason; },
      Eq("WRITE_LOST")));
  const auto read = client.get("history", "main", showing(lost.response.token()));
  EXPECT_EQ(read.code, kFailedPrecondition);
  EXPECT_THAT(read.message, HasSubstr(lost.response.request_id()));
  EXPECT_TRUE(
      eventually([&] { return client.get("history", "main", showing(kept.response.token())).ok(); },
                 Eq(true)));
  v1::ListStockLevelsRequest list;
  *list.mutable_consistency() = showing(lost.response.token());
  EXPECT_EQ(client.list(list).reason, "WRITE_LOST");
}

TEST_F(ServiceTokensTest, a_token_that_the_primary_does_not_show_is_from_the_future) {
  StockdProcess stockd(primary_only());
  StockClient client(stockd.address());
  client.create_location("main", "Main");
  // As from a server that has been ahead of this one in the same incarnation.
  auto token = rpc::read_token(client.adjust("future", "main", 1).response.token());
  ASSERT_TRUE(token.has_value());
  token->write.xid += 1'000'000;
  const std::string future = rpc::make_token(*token);
  const auto read = client.get("future", "main", showing(future, true));
  EXPECT_EQ(read.code, kFailedPrecondition);
  EXPECT_EQ(read.reason, "TOKEN_FROM_THE_FUTURE");
  v1::ListStockLevelsRequest list;
  *list.mutable_consistency() = showing(future);
  EXPECT_EQ(client.list(list).reason, "TOKEN_FROM_THE_FUTURE");
}

TEST_F(ServiceTokensTest, without_the_primary_a_token_is_unavailable_or_stale_as_asked) {
  support::TcpGate gate(primary().port());
  std::string url = primary().url();
  const std::string port = ":" + std::to_string(primary().port());
  url.replace(url.find(port), port.size(), ":" + std::to_string(gate.port()));
  StockdProcess stockd({.primary_url = url, .flags = {"--layers", "memory,primary"}});
  StockClient client(stockd.address());
  client.create_location("main", "Main");
  ASSERT_TRUE(client.adjust("cut", "main", 1).ok());
  ASSERT_TRUE(eventually(
      [&] { return trail_of(client.get("cut", "main", at_most(1h)).response.provenance()); },
      Eq("memory hit")));
  StockdProcess other(primary_only());
  StockClient elsewhere(other.address());
  gate.cut();
  const auto written = elsewhere.adjust("cut", "main", 1);
  ASSERT_TRUE(written.ok()) << written.message;
  const auto strict = client.get("cut", "main", showing(written.response.token()));
  EXPECT_EQ(strict.code, kUnavailable) << strict.message;
  const auto stale = client.get("cut", "main", showing(written.response.token(), true));
  ASSERT_TRUE(stale.ok()) << stale.message;
  EXPECT_EQ(stale.response.level().version(), 1);
  EXPECT_TRUE(stale.response.provenance().bound_missed());
}

}  // namespace
}  // namespace stock
