// Lies planted through the back doors of layers are found, named and measured; honest layers are
// not accused.
#include <hiredis/hiredis.h>

#include <thread>

#include "service_world.h"
#include "stock/redis/codec.h"

namespace stock {
namespace {

class ServiceAuditTest : public ServiceTest {
 protected:
  static std::string verdicts(const std::string& layer, const std::string& verdict) {
    return "stock_divergence_checks_total{layer=\"" + layer + "\",verdict=\"" + verdict + "\"}";
  }
  static std::string gauge(const std::string& what, const std::string& layer) {
    return what + "{layer=\"" + layer + "\"}";
  }
  // Binary values do not fit through a command line.
  void plant(const domain::Key& key, const domain::Reading& reading) {
    redisContext* context = redisConnect("127.0.0.1", redis().port());
    ASSERT_EQ(context->err, 0);
    const std::string name = redis::encode_key(reading.incarnation, key);
    const std::string value = redis::encode_value(key, reading);
    auto* reply = static_cast<redisReply*>(
        redisCommand(context, "SET %b %b", name.data(), name.size(), value.data(), value.size()));
    ASSERT_NE(reply, nullptr);
    EXPECT_STREQ(reply->str, "OK");
    freeReplyObject(reply);
    redisFree(context);
  }
  // A copy as an honest process would have left it just now.
  static domain::Reading copy(domain::Version version, std::int64_t on_hand) {
    support::Sql sql = primary().connect();
    return {.exists = true,
            .version = version,
            .counts = {.on_hand = on_hand},
            .as_of = domain::DatabaseTime(1s),
            .true_through = domain::DatabaseTime(std::chrono::microseconds(
                sql.number("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"))),
            .incarnation =
                static_cast<domain::Incarnation>(sql.number("SELECT id FROM stock.incarnation")),
            .heartbeat = sql.number("SELECT max(number) FROM stock.heartbeat")};
  }
};

TEST_F(ServiceAuditTest, planted_lies_are_found_named_and_measured_until_they_are_gone) {
  StockdProcess stockd(all_layers({"--audit-interval", "50ms"}));
  StockClient client(stockd.address());
  client.create_location("main", "Main");
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(client.adjust("lie", "main", 40).ok());  // 40, 80, 120
  const domain::Key key{"lie", "main"};

  plant(key, copy(3, 42));
  EXPECT_TRUE(eventually([&] { return metric(stockd, verdicts("redis", "wrong_count")); }, Gt(0)));
  EXPECT_TRUE(
      eventually([&] { return metric(stockd, gauge("stock_divergent_keys", "redis")); }, Eq(1)));
  EXPECT_EQ(metric(stockd, gauge("stock_divergence_units", "redis")), 78);

  plant(key, copy(9, 120));
  EXPECT_TRUE(eventually([&] { return metric(stockd, verdicts("redis", "ahead")); }, Gt(0)));
  EXPECT_TRUE(eventually(
      [&] { return metric(stockd, gauge("stock_divergence_versions", "redis")); }, Eq(6)));

  plant(key, copy(1, 40));
  EXPECT_TRUE(eventually([&] { return metric(stockd, verdicts("redis", "stale")); }, Gt(0)));
  EXPECT_TRUE(eventually(
      [&] { return metric(stockd, gauge("stock_divergence_versions", "redis")); }, Eq(2)));
  EXPECT_EQ(metric(stockd, gauge("stock_divergence_units", "redis")), 80);
  EXPECT_GT(metric(stockd, gauge("stock_divergence_seconds", "redis")), 0);

  plant(key, copy(3, 120));
  EXPECT_TRUE(
      eventually([&] { return metric(stockd, gauge("stock_divergent_keys", "redis")); }, Eq(0)));
  EXPECT_EQ(metric(stockd, gauge("stock_divergence_units", "redis")), 0);
  EXPECT_EQ(metric(stockd, gauge("stock_divergent_keys", "primary")), 0);
}

TEST_F(ServiceAuditTest, a_paused_replica_is_found_stale) {
  StockdProcess stockd(all_layers({"--audit-interval", "50ms"}));
  StockClient client(stockd.address());
  client.create_location("main", "Main");
  ASSERT_TRUE(client.adjust("pause", "main", 10).ok());
  ASSERT_TRUE(eventually([&] { return metric(stockd, verdicts("replica", "current")); }, Gt(0)));
  replica().connect().exec("SELECT pg_wal_replay_pause()");
  ASSERT_TRUE(client.adjust("pause", "main", -3).ok());
  EXPECT_TRUE(eventually([&] { return metric(stockd, gauge("stock_divergence_units", "replica")); },
                         Eq(3)));
  replica().connect().exec("SELECT pg_wal_replay_resume()");
  EXPECT_TRUE(
      eventually([&] { return metric(stockd, gauge("stock_divergent_keys", "replica")); }, Eq(0)));
}

TEST_F(ServiceAuditTest, a_layer_that_is_down_is_unreachable_and_no_liar) {
  StockdProcess stockd(all_layers({"--audit-interval", "50ms"}));
  StockClient client(stockd.address());
  client.create_location("main", "Main");
  ASSERT_TRUE(client.adjust("down", "main", 1).ok());
  redis().kill9();
  EXPECT_TRUE(eventually([&] { return metric(stockd, verdicts("redis", "unreachable")); }, Gt(0)));
  redis().start();
  EXPECT_TRUE(eventually([&] { return metric(stockd, gauge("stock_layer_up", "redis")); }, Eq(1)));
}

// Writers never rest while the auditor looks. The primary is the ledger itself: whatever the
// auditor says against it would be a false accusation. And nobody ever says what never was.
TEST_F(ServiceAuditTest, honest_layers_are_not_accused_while_keys_move) {
  StockdProcess stockd(all_layers({"--audit-interval", "20ms"}));
  StockClient client(stockd.address());
  client.create_location("main", "Main");
  std::atomic<bool> stop{false};
  std::vector<std::thread> writers;
  for (int t = 0; t < 4; ++t) {
    writers.emplace_back([&, t] {
      for (int i = 0; !stop; ++i) {
        const std::string sku = "moving" + std::to_string((i + t) % 20);
        EXPECT_TRUE(client.adjust(sku, "main", 1).ok());
        client.get(sku, "main", at_most(1s));
      }
    });
  }
  EXPECT_TRUE(eventually([&] { return metric(stockd, verdicts("primary", "current")); }, Ge(1000)));
  stop = true;
  for (std::thread& writer : writers) writer.join();
  for (const std::string lie : {"wrong_count", "never_true", "ahead"}) {
    for (const std::string layer : {"memory", "redis", "replica", "primary"}) {
      EXPECT_EQ(metric(stockd, verdicts(layer, lie)), 0) << layer << " " << lie;
    }
  }
  EXPECT_EQ(metric(stockd, verdicts("primary", "stale")), 0);
}

}  // namespace
}  // namespace stock
