// Tokens: what a write returns, and what a read makes of it, over two processes and histories.
#include "service_world.h"
#include "stock/rpc/token.h"
#include "support/tcp_gate.h"

namespace stock {
namespace {

using support::as_fresh_as;

class ServiceTokensTest : public ServiceTest {
 protected:
  static std::string changed(const std::string& token, auto change) {
    auto parts = rpc::read_token(token);
    EXPECT_TRUE(parts) << token;
    change(*parts);
    return rpc::make_token(*parts);
  }
};

TEST_F(ServiceTokensTest, a_read_with_a_writes_token_shows_it_on_every_process) {
  StockdProcess writer(all_layers());
  StockdProcess reader(all_layers());
  StockClient writes(writer.address());
  StockClient reads(reader.address());
  ASSERT_TRUE(writes.create_location("main", "Main").ok());
  for (int i = 1; i <= 200; ++i) {
    const auto written = writes.adjust("token", "main", 1);
    ASSERT_TRUE(written.ok()) << written.message;
    ASSERT_NE(written.response.token(), "");
    const auto read = reads.get("token", "main", as_fresh_as(written.response.token()));
    ASSERT_TRUE(read.ok()) << read.message;
    ASSERT_GE(read.response.level().version(), i) << trail_of(read.response.provenance());
  }
  // Once the feed has passed the write, memory answers.
  const std::string token = writes.adjust("token", "main", 1).response.token();
  EXPECT_TRUE(eventually(
      [&] {
        return trail_of(reads.get("token", "main", as_fresh_as(token)).response.provenance());
      },
      Eq("memory hit")));
}

TEST_F(ServiceTokensTest, every_read_takes_one) {
  StockdProcess stockd(all_layers());
  StockClient client(stockd.address());
  ASSERT_TRUE(client.create_location("main", "Main").ok());
  v1::ImportStockLevelsRequest import;
  auto& row = *import.add_rows();
  row.mutable_key()->set_sku("imported");
  row.mutable_key()->set_location("main");
  row.set_on_hand(7);
  const auto imported = client.import(import);
  ASSERT_TRUE(imported.ok()) << imported.message;
  const auto fresh = as_fresh_as(imported.response.token());

  v1::BatchGetStockLevelsRequest batch;
  *batch.add_keys() = row.key();
  *batch.mutable_consistency() = fresh;
  EXPECT_EQ(client.batch(batch).response.levels(0).version(), 1);
  v1::BatchGetStockTotalsRequest totals;
  totals.add_skus("imported");
  *totals.mutable_consistency() = fresh;
  EXPECT_EQ(client.totals(totals).response.totals(0).counts().on_hand(), 7);
  v1::CheckAvailabilityRequest check;
  auto& line = *check.add_lines();
  line.set_sku("imported");
  line.set_quantity(7);
  *check.mutable_consistency() = fresh;
  EXPECT_TRUE(client.check(check).response.available());
  v1::ListStockLevelsRequest list;
  list.set_sku_prefix("imported");
  *list.mutable_consistency() = fresh;
  EXPECT_EQ(client.list(list).response.levels_size(), 1);
  v1::ListStockMovementsRequest history;
  *history.mutable_key() = row.key();
  *history.mutable_consistency() = fresh;
  EXPECT_EQ(client.history(history).response.movements_size(), 1);
}

TEST_F(ServiceTokensTest, a_repeated_write_returns_a_token_of_the_first) {
  StockdProcess stockd(all_layers());
  StockClient client(stockd.address());
  client.create_location("main", "Main");
  const std::string id = "8a0b7a4e-3c52-4b11-9d0a-2f6d1f2b3c4d";
  const std::string first = client.adjust("again", "main", 1, id).response.token();
  const auto repeated = client.adjust("again", "main", 1, id);
  EXPECT_TRUE(repeated.response.replayed());
  EXPECT_EQ(repeated.response.token(), first);
}

TEST_F(ServiceTokensTest, what_is_no_token_of_a_write_of_this_ledger_is_told_apart) {
  StockdProcess stockd(all_layers());
  StockClient client(stockd.address());
  client.create_location("main", "Main");
  const std::string token = client.adjust("told", "main", 1).response.token();
  const auto ask = [&](const std::string& with) {
    const auto read = client.get("told", "main", as_fresh_as(with));
    return std::to_string(read.code) + " " + read.reason;
  };
  EXPECT_EQ(ask("garbage"), "3 TOKEN_MALFORMED");
  EXPECT_EQ(ask(""), "3 TOKEN_MALFORMED");
  EXPECT_EQ(ask(changed(token, [](rpc::Token& t) { ++t.ledger; })), "3 TOKEN_OF_ANOTHER_LEDGER");
  EXPECT_EQ(ask(changed(token, [](rpc::Token& t) { t.write.xid += 1'000'000; })),
            "9 TOKEN_FROM_THE_FUTURE");
  // Of another incarnation the ledger is asked for the request.
  EXPECT_EQ(ask(changed(token, [](rpc::Token& t) { ++t.write.incarnation; })), "0 ");
  EXPECT_EQ(ask(changed(token, [](rpc::Token& t) { t.write.incarnation = 0; })), "0 ");
  EXPECT_EQ(ask(changed(token,
                        [](rpc::Token& t) {
                          ++t.write.incarnation;
                          ++t.request[0];
                        })),
            "9 WRITE_LOST");
}

TEST_F(ServiceTokensTest, a_token_outlives_a_crash_that_its_write_outlived) {
  StockdProcess stockd(all_layers());
  StockClient client(stockd.address());
  // On a machine that is busy even the first connection takes its time.
  ASSERT_TRUE(eventually([&] { return client.create_location("main", "Main").message; }, Eq("")));
  const auto written = client.adjust("crash", "main", 5);
  ASSERT_TRUE(written.ok()) << written.message;
  const double begun = metric(stockd, R"(stock_incarnations_begun_total{cause="new"})");
  primary().kill9();
  primary().start();
  EXPECT_TRUE(eventually(
      [&] { return metric(stockd, R"(stock_incarnations_begun_total{cause="new"})"); }, Gt(begun)));
  const auto fresh = as_fresh_as(written.response.token());
  EXPECT_TRUE(eventually([&] { return client.get("crash", "main", fresh).message; }, Eq("")));
  EXPECT_EQ(client.get("crash", "main", fresh).response.level().counts().on_hand(), 5);
}

TEST_F(ServiceTokensTest, once_the_feed_shows_the_write_memory_answers) {
  StockdProcess stockd(all_layers());
  StockClient client(stockd.address());
  client.create_location("main", "Main");
  const auto fresh = as_fresh_as(client.adjust("near", "main", 3).response.token());
  EXPECT_TRUE(
      eventually([&] { return trail_of(client.get("near", "main", fresh).response.provenance()); },
                 Eq("memory hit")));
  EXPECT_EQ(client.get("near", "main", fresh).response.level().counts().on_hand(), 3);
}

TEST_F(ServiceTokensTest, without_the_primary_it_is_unavailable_or_stale_as_asked) {
  support::TcpGate gate(primary().port());
  std::string url = primary().url();
  const std::string port = ":" + std::to_string(primary().port());
  url.replace(url.find(port), port.size(), ":" + std::to_string(gate.port()));
  StockdProcess stockd({.primary_url = url, .flags = {"--layers", "memory,primary"}});
  StockdProcess other(primary_only());
  StockClient client(stockd.address());
  StockClient elsewhere(other.address());
  client.create_location("main", "Main");
  ASSERT_TRUE(client.adjust("cut", "main", 1).ok());
  ASSERT_TRUE(eventually(
      [&] { return trail_of(client.get("cut", "main", at_most(1h)).response.provenance()); },
      Eq("memory hit")));
  gate.cut();
  const auto written = elsewhere.adjust("cut", "main", 1);
  ASSERT_TRUE(written.ok()) << written.message;
  v1::Consistency fresh = as_fresh_as(written.response.token());
  const auto strict = client.get("cut", "main", fresh);
  EXPECT_EQ(strict.code, kUnavailable) << strict.message;
  fresh.set_allow_stale(true);
  const auto stale = client.get("cut", "main", fresh);
  ASSERT_TRUE(stale.ok()) << stale.message;
  EXPECT_EQ(stale.response.level().version(), 1);
  EXPECT_TRUE(stale.response.provenance().bound_missed());
}

}  // namespace
}  // namespace stock
