// Lies planted through the back doors of layers are found, named and measured; honest layers are
// not accused.
#include <thread>

#include "planted_copy.h"
#include "service_world.h"

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
  static void plant(const domain::Key& key, const domain::Reading& reading) {
    stock::plant(redis(), key, reading);
  }
  static domain::Reading copy(const domain::Key& key, domain::Version version,
                              std::int64_t on_hand) {
    return stock::copy(primary(), key, version, on_hand);
  }
};

TEST_F(ServiceAuditTest, planted_lies_are_found_named_and_measured_until_they_are_gone) {
  StockdProcess stockd(all_layers({"--audit-interval", "50ms"}));
  StockClient client(stockd.address());
  client.create_location("main", "Main");
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(client.adjust("lie", "main", 40).ok());  // 40, 80, 120
  const domain::Key key{"lie", "main"};

  plant(key, copy(key, 3, 42));
  EXPECT_TRUE(eventually([&] { return metric(stockd, verdicts("redis", "wrong_count")); }, Gt(0)));
  EXPECT_TRUE(
      eventually([&] { return metric(stockd, gauge("stock_divergent_keys", "redis")); }, Eq(1)));
  EXPECT_EQ(metric(stockd, gauge("stock_divergence_units", "redis")), 78);

  plant(key, copy(key, 9, 120));
  EXPECT_TRUE(eventually([&] { return metric(stockd, verdicts("redis", "ahead")); }, Gt(0)));
  EXPECT_TRUE(eventually(
      [&] { return metric(stockd, gauge("stock_divergence_versions", "redis")); }, Eq(6)));

  plant(key, copy(key, 1, 40));
  EXPECT_TRUE(eventually([&] { return metric(stockd, verdicts("redis", "misdated")); }, Gt(0)));
  EXPECT_TRUE(eventually(
      [&] { return metric(stockd, gauge("stock_divergence_versions", "redis")); }, Eq(2)));
  EXPECT_EQ(metric(stockd, gauge("stock_divergence_units", "redis")), 80);
  EXPECT_GT(metric(stockd, gauge("stock_divergence_seconds", "redis")), 0);

  plant(key, copy(key, 3, 120));
  EXPECT_TRUE(
      eventually([&] { return metric(stockd, gauge("stock_divergent_keys", "redis")); }, Eq(0)));
  EXPECT_EQ(metric(stockd, gauge("stock_divergence_units", "redis")), 0);
  EXPECT_EQ(metric(stockd, gauge("stock_divergent_keys", "primary")), 0);
}

// The lies about its date: the version was true, and readers would believe that it still is.
TEST_F(ServiceAuditTest, a_copy_that_claims_to_be_younger_than_it_is_is_misdated) {
  StockdProcess stockd(all_layers({"--audit-interval", "50ms"}));
  StockClient client(stockd.address());
  client.create_location("main", "Main");
  ASSERT_TRUE(client.adjust("dated", "main", 40).ok());
  const domain::Key key{"dated", "main"};
  const domain::Reading honest = copy(key, 1, 40);
  ASSERT_TRUE(client.adjust("dated", "main", 30).ok());
  // Until the leader has recorded by when version 2 was seen, nobody is accused.
  ASSERT_TRUE(eventually(
      [&] {
        return primary().connect().number(
            "SELECT count(*) FROM stock.commit JOIN stock.movement USING (xid)"
            " WHERE sku = 'dated' AND version = 2");
      },
      Eq(1)));

  plant(key, honest);
  EXPECT_TRUE(eventually([&] { return metric(stockd, verdicts("redis", "stale")); }, Gt(0)));
  EXPECT_EQ(metric(stockd, verdicts("redis", "misdated")), 0);
  EXPECT_TRUE(
      eventually([&] { return metric(stockd, gauge("stock_divergence_units", "redis")); }, Eq(30)));

  domain::Reading lie = honest;
  lie.true_through = copy(key, 1, 40).true_through;  // now
  plant(key, lie);
  EXPECT_TRUE(eventually([&] { return metric(stockd, verdicts("redis", "misdated")); }, Gt(0)));
  EXPECT_TRUE(eventually(
      [&] { return metric(stockd, gauge("stock_divergence_versions", "redis")); }, Eq(1)));

  plant(key, copy(key, 2, 70));
  EXPECT_TRUE(
      eventually([&] { return metric(stockd, gauge("stock_divergent_keys", "redis")); }, Eq(0)));
  const double before = metric(stockd, verdicts("redis", "misdated"));
  lie = honest;
  lie.heartbeat = primary().connect().number(
      "SELECT commit.heartbeat FROM stock.commit JOIN stock.movement USING (xid)"
      " WHERE sku = 'dated' AND version = 2");  // the first that shows its successor
  plant(key, lie);
  EXPECT_TRUE(
      eventually([&] { return metric(stockd, verdicts("redis", "misdated")); }, Gt(before)));
}

// What is told of a round, of the keys that are read, and of consistency.
TEST_F(ServiceAuditTest, the_auditor_tells_what_it_does) {
  StockdProcess stockd(all_layers({"--audit-interval", "50ms"}));
  StockClient client(stockd.address());
  client.create_location("main", "Main");
  // What moves before anybody leads is left to the rounds.
  EXPECT_TRUE(eventually(
      [&] {
        EXPECT_TRUE(client.adjust("told", "main", 1).ok());
        return metric(stockd, "stock_audit_keys_total{cause=\"moved\"}");
      },
      Gt(0)));
  client.get("told", "main", at_most(1s));
  EXPECT_TRUE(
      eventually([&] { return metric(stockd, "stock_audit_keys_total{cause=\"read\"}"); }, Gt(0)));
  EXPECT_TRUE(eventually([&] { return metric(stockd, "stock_audit_rounds_total"); }, Gt(1)));
  EXPECT_GT(metric(stockd, "stock_audit_last_round_timestamp_seconds"), 1e9);
  EXPECT_TRUE(eventually(
      [&] { return metric(stockd, R"(stock_audit_busy_seconds_total{load="serving"})"); }, Gt(0)));
  EXPECT_EQ(metric(stockd, "stock_audit_budget_ratio"), 0.02);
  EXPECT_GT(metric(stockd, gauge("stock_consistency_examined_total", "primary")), 0);
  EXPECT_GT(metric(stockd, "stock_consistency_met_total{layer=\"primary\",window=\"0s\"}"), 0);
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
  StockdProcess stockd(all_layers({"--audit-interval", "20ms", "--audit-budget", "50%"}));
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
  for (const std::string lie : {"wrong_count", "never_true", "ahead", "misdated"}) {
    for (const std::string layer : {"memory", "redis", "replica", "primary"}) {
      EXPECT_EQ(metric(stockd, verdicts(layer, lie)), 0) << layer << " " << lie;
    }
  }
  EXPECT_EQ(metric(stockd, verdicts("primary", "stale")), 0);
}

}  // namespace
}  // namespace stock
