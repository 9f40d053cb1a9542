// Each lie that can be told is planted through the back door of its layer, and named for exactly
// what it is; the auditor has it repaired where the policy says so, and says so when it cannot
// look.
#include "planted_copy.h"
#include "service_world.h"
#include "support/tcp_gate.h"

namespace stock {
namespace {

class ServiceLiesTest : public ServiceTest {
 protected:
  // Of the lies of one test the others know nothing.
  void SetUp() override { redis().command({"FLUSHALL"}); }
  void TearDown() override {
    primary().connect().exec("UPDATE stock.layer SET enabled = true, repair = 'off'");
  }
  static std::string verdicts(const std::string& layer, const std::string& verdict) {
    return "stock_divergence_checks_total{layer=\"" + layer + "\",verdict=\"" + verdict + "\"}";
  }
  static std::string repaired(const std::string& outcome) {
    return "stock_repairs_total{layer=\"redis\",outcome=\"" + outcome + "\"}";
  }
  // Versions 1, 2, 3... of it have so many on hand; of all of them it is recorded when they were
  // seen by everybody.
  static void book(StockClient& client, const std::string& sku, const std::vector<int>& on_hand) {
    client.create_location("main", "Main");
    int before = 0;
    for (const int now : on_hand) {
      ASSERT_TRUE(client.adjust(sku, "main", now - before).ok());
      before = now;
    }
    await_record(sku, static_cast<int>(on_hand.size()));
  }
  static void await_record(const std::string& sku, int versions) {
    ASSERT_TRUE(eventually(
        [&] {
          return primary().connect().number(
              "SELECT count(*) FROM stock.commit JOIN stock.movement USING (xid) WHERE sku = '" +
              sku + "'");
        },
        Eq(versions)));
  }
  // What the layer says of the key, and what the ledger says of that, when one asks until both can
  // be told: on a machine that is busy with other things an answer may take longer than it has, and
  // what no transaction can bring any more is only known when all that were writing have ended.
  static v1::Finding ask(StockClient& client, const std::string& layer, const std::string& sku) {
    v1::Finding finding;
    EXPECT_TRUE(eventually([&] {
      finding = ask_once(client, layer, sku);
      return finding.verdict() != v1::VERDICT_UNREACHABLE &&
             finding.verdict() != v1::VERDICT_INCONCLUSIVE;
    }));
    return finding;
  }
  static v1::Finding ask_once(StockClient& client, const std::string& layer,
                              const std::string& sku) {
    v1::ExplainStockLevelRequest request;
    request.set_sku(sku);
    request.set_location("main");
    const auto explained = client.explain(request);
    EXPECT_TRUE(explained.ok()) << explained.message;
    for (const v1::KeyExplanation& key : explained.response.keys()) {
      for (const v1::Finding& finding : key.findings()) {
        if (finding.statement().witness() == layer) return finding;
      }
    }
    ADD_FAILURE() << "nothing of " << layer;
    return {};
  }
  // When the version was committed, and by when everybody had seen it, in microseconds.
  static std::int64_t committed(const std::string& sku, int version) {
    return recorded("committed_at", sku, version);
  }
  static std::int64_t seen_by(const std::string& sku, int version) {
    return recorded("seen_by", sku, version);
  }
  static std::int64_t recorded(const std::string& when, const std::string& sku, int version) {
    return primary().connect().number("SELECT (extract(epoch FROM " + when +
                                      ") * 1000000)::bigint"
                                      " FROM stock.commit JOIN stock.movement USING (xid)"
                                      " WHERE sku = '" +
                                      sku + "' AND version = " + std::to_string(version));
  }
  static std::int64_t us(const google::protobuf::Timestamp& time) {
    return time.seconds() * 1'000'000 + time.nanos() / 1000;
  }
  // It was true from the commit of `version` to that of the next, and since then, whenever it was
  // asked, it is behind by so much.
  static void expect_times(const v1::Finding& finding, const std::string& sku, int version) {
    EXPECT_EQ(us(finding.true_from()), committed(sku, version));
    EXPECT_EQ(us(finding.true_until()), committed(sku, version + 1));
    EXPECT_EQ(finding.superseded_by().version(), version + 1);
    const std::int64_t behind =
        finding.behind().seconds() * 1'000'000 + finding.behind().nanos() / 1000;
    EXPECT_GT(behind, 0);
    EXPECT_LE(behind, us(finding.statement().asked_before()) - us(finding.true_until()));
    EXPECT_GE(behind, us(finding.statement().asked_after()) - seen_by(sku, version + 1));
  }
  static std::string stored(const std::string& sku) {
    return redis::encode_key(copy(primary(), {sku, "main"}, 1, 0).incarnation, {sku, "main"});
  }
};

// Also while somebody has forgotten a transaction that concerns other things.
TEST_F(ServiceLiesTest, a_version_of_the_future_is_ahead_by_units_and_versions) {
  StockdProcess stockd(all_layers());
  StockClient client(stockd.address());
  support::Sql forgotten = primary().connect();
  forgotten.exec("BEGIN; SELECT pg_current_xact_id()");
  book(client, "future", {40, 70});
  plant(redis(), {"future", "main"}, copy(primary(), {"future", "main"}, 9, 100));
  const v1::Finding lie = ask(client, "redis", "future");
  EXPECT_EQ(lie.verdict(), v1::VERDICT_AHEAD);
  EXPECT_EQ(lie.units(), 30);
  EXPECT_EQ(lie.versions(), -7);
  EXPECT_FALSE(lie.has_true_from());
  EXPECT_FALSE(lie.has_true_until());
  EXPECT_TRUE(eventually([&] { return metric(stockd, verdicts("redis", "ahead")); }, Gt(0)));
}

TEST_F(ServiceLiesTest, a_forged_heartbeat_is_misdated_on_old_versions_and_on_the_newest) {
  StockdProcess stockd(all_layers());
  StockClient client(stockd.address());
  book(client, "forged", {40});
  domain::Reading old = copy(primary(), {"forged", "main"}, 1, 40);
  ASSERT_TRUE(client.adjust("forged", "main", 30).ok());
  await_record("forged", 2);
  plant(redis(), {"forged", "main"}, old);
  EXPECT_EQ(ask(client, "redis", "forged").verdict(), v1::VERDICT_STALE) << "honest so far";

  old.heartbeat = primary().connect().number("SELECT max(number) FROM stock.heartbeat");
  plant(redis(), {"forged", "main"}, old);
  v1::Finding lie = ask(client, "redis", "forged");
  EXPECT_EQ(lie.verdict(), v1::VERDICT_MISDATED);
  EXPECT_EQ(lie.units(), -30);
  EXPECT_EQ(lie.versions(), 1);
  expect_times(lie, "forged", 1);

  domain::Reading newest = copy(primary(), {"forged", "main"}, 2, 70);
  newest.heartbeat += 1'000'000;
  plant(redis(), {"forged", "main"}, newest);
  lie = ask(client, "redis", "forged");
  EXPECT_EQ(lie.verdict(), v1::VERDICT_MISDATED);
  EXPECT_EQ(lie.units(), 0);
  EXPECT_EQ(lie.versions(), 0);
  EXPECT_EQ(us(lie.true_from()), committed("forged", 2));
  EXPECT_FALSE(lie.has_true_until());
  EXPECT_TRUE(eventually([&] { return metric(stockd, verdicts("redis", "misdated")); }, Gt(0)));
}

// Not forged at all: the very bytes that an honest process has left there.
TEST_F(ServiceLiesTest, an_old_copy_put_back_is_stale_by_what_has_happened_since) {
  StockdProcess stockd(all_layers());
  StockClient client(stockd.address());
  await_redis(stockd);
  const auto redis_says = [&](int version) {
    return eventually([&] { return ask(client, "redis", "back").statement().version(); },
                      Eq(version));
  };
  book(client, "back", {40});
  ASSERT_TRUE(redis_says(1));
  ASSERT_EQ(redis().command({"COPY", stored("back"), "backup"}), "1");
  ASSERT_TRUE(client.adjust("back", "main", 30).ok());
  ASSERT_TRUE(client.adjust("back", "main", -60).ok());
  await_record("back", 3);
  ASSERT_TRUE(redis_says(3));
  ASSERT_EQ(redis().command({"COPY", "backup", stored("back"), "REPLACE"}), "1");
  const v1::Finding old = ask(client, "redis", "back");
  EXPECT_EQ(old.verdict(), v1::VERDICT_STALE);
  EXPECT_EQ(old.units(), 30);
  EXPECT_EQ(old.versions(), 2);
  expect_times(old, "back", 1);
  EXPECT_TRUE(eventually([&] { return metric(stockd, verdicts("redis", "stale")); }, Gt(0)));
}

// As long as the write may yet be committed nobody is accused.
TEST_F(ServiceLiesTest, the_copy_of_a_write_that_was_rolled_back_is_ahead) {
  StockdProcess stockd(all_layers());
  StockClient client(stockd.address());
  book(client, "rolled", {40});
  support::Sql writer = primary().connect();
  writer.exec("BEGIN; UPDATE stock.level SET on_hand = 60 WHERE sku = 'rolled'");
  plant(redis(), {"rolled", "main"}, copy(primary(), {"rolled", "main"}, 2, 60));
  EXPECT_TRUE(eventually([&] { return ask_once(client, "redis", "rolled").verdict(); },
                         Eq(v1::VERDICT_INCONCLUSIVE)));
  writer.exec("ROLLBACK");
  const v1::Finding lie = ask(client, "redis", "rolled");
  EXPECT_EQ(lie.verdict(), v1::VERDICT_AHEAD);
  EXPECT_EQ(lie.units(), 20);
  EXPECT_EQ(lie.versions(), -1);
  EXPECT_TRUE(eventually([&] { return metric(stockd, verdicts("redis", "ahead")); }, Gt(0)));
}

TEST_F(ServiceLiesTest, a_paused_replica_is_stale_by_what_it_has_not_replayed) {
  StockdProcess stockd(all_layers());
  StockClient client(stockd.address());
  book(client, "paused", {40});
  ASSERT_TRUE(
      eventually([&] { return ask(client, "replica", "paused").statement().version(); }, Eq(1)));
  support::Sql standby = replica().connect();
  standby.exec("SELECT pg_wal_replay_pause()");
  ASSERT_TRUE(eventually(
      [&] { return standby.number("SELECT (pg_get_wal_replay_pause_state() = 'paused')::int"); },
      Eq(1)));
  ASSERT_TRUE(client.adjust("paused", "main", -3).ok());
  ASSERT_TRUE(client.adjust("paused", "main", -4).ok());
  await_record("paused", 3);
  const v1::Finding old = ask(client, "replica", "paused");
  EXPECT_EQ(old.verdict(), v1::VERDICT_STALE);
  EXPECT_EQ(old.units(), 7);
  EXPECT_EQ(old.versions(), 2);
  expect_times(old, "paused", 1);
  standby.exec("SELECT pg_wal_replay_resume()");
  EXPECT_TRUE(eventually([&] { return ask(client, "replica", "paused").verdict(); },
                         Eq(v1::VERDICT_CURRENT)));
}

TEST_F(ServiceLiesTest, a_lie_is_repaired_by_the_auditor_where_the_policy_says_so) {
  StockdProcess stockd(all_layers());
  StockClient client(stockd.address());
  book(client, "rogue", {40});
  plant(redis(), {"rogue", "main"}, copy(primary(), {"rogue", "main"}, 1, 42));
  // Found again and again, and left alone.
  ASSERT_TRUE(eventually([&] { return metric(stockd, verdicts("redis", "wrong_count")); }, Ge(2)));
  EXPECT_EQ(redis().command({"EXISTS", stored("rogue")}), "1");
  EXPECT_EQ(metric(stockd, repaired("dropped")), 0);
  EXPECT_FALSE(stockd.process().log_contains("copies were repaired"));

  v1::UpdateLayerRequest policy;
  policy.set_layer(v1::LAYER_REDIS);
  policy.set_repair_policy(v1::REPAIR_POLICY_DROP);
  policy.set_actor("ana");
  ASSERT_TRUE(client.update_layer(policy).ok());
  EXPECT_TRUE(eventually([&] { return redis().command({"EXISTS", stored("rogue")}); }, Eq("0")));
  EXPECT_TRUE(eventually([&] { return metric(stockd, repaired("dropped")); }, Eq(1)));
  EXPECT_TRUE(stockd.process().log_contains("copies were repaired"));
  EXPECT_TRUE(stockd.process().log_contains("\"actor\":\"auditor\""));
  EXPECT_TRUE(
      eventually([&] { return metric(stockd, "stock_divergent_keys{layer=\"redis\"}"); }, Eq(0)));

  // What is only old is no lie, and stays.
  domain::Reading old = copy(primary(), {"rogue", "main"}, 1, 40);
  ASSERT_TRUE(client.adjust("rogue", "main", 1).ok());
  await_record("rogue", 2);
  const double stale = metric(stockd, verdicts("redis", "stale"));
  plant(redis(), {"rogue", "main"}, old);
  ASSERT_TRUE(
      eventually([&] { return metric(stockd, verdicts("redis", "stale")); }, Ge(stale + 2)));
  EXPECT_EQ(redis().command({"EXISTS", stored("rogue")}), "1");

  policy.set_repair_policy(v1::REPAIR_POLICY_REFRESH);
  ASSERT_TRUE(client.update_layer(policy).ok());
  plant(redis(), {"rogue", "main"}, copy(primary(), {"rogue", "main"}, 2, 99));
  EXPECT_TRUE(eventually([&] { return metric(stockd, repaired("refreshed")); }, Ge(1)));
  EXPECT_TRUE(
      eventually([&] { return ask(client, "redis", "rogue").verdict(); }, Eq(v1::VERDICT_CURRENT)));
}

TEST_F(ServiceLiesTest, an_auditor_that_is_cut_off_from_the_ledger_says_so) {
  support::TcpGate gate(primary().port());
  StockdProcess::Options options = all_layers();
  const std::string port = ":" + std::to_string(primary().port()) + "/";
  options.primary_url.replace(options.primary_url.find(port), port.size(),
                              ":" + std::to_string(gate.port()) + "/");
  StockdProcess stockd(options);
  const std::string last_pass = "stock_audit_last_pass_timestamp_seconds";
  ASSERT_TRUE(eventually([&] { return metric(stockd, "stock_audit_up"); }, Eq(1)));
  EXPECT_THAT(stockd.get("/readyz").body, HasSubstr("ok auditor\n"));

  gate.cut();
  EXPECT_TRUE(eventually([&] { return metric(stockd, "stock_audit_up"); }, Eq(0)));
  const double failed = metric(stockd, "stock_audit_passes_total{outcome=\"failed\"}");
  EXPECT_GT(failed, 0);
  const double stands = metric(stockd, last_pass);
  EXPECT_TRUE(
      eventually([&] { return metric(stockd, "stock_audit_passes_total{outcome=\"failed\"}"); },
                 Gt(failed + 2)));
  EXPECT_EQ(metric(stockd, last_pass), stands);
  EXPECT_THAT(stockd.get("/readyz").body,
              HasSubstr("FAIL auditor (not required): nothing is judged: "));

  gate.open();
  EXPECT_TRUE(eventually([&] { return metric(stockd, "stock_audit_up"); }, Eq(1)));
  EXPECT_GT(metric(stockd, last_pass), stands);
  EXPECT_THAT(stockd.get("/readyz").body, HasSubstr("ok auditor\n"));
}

TEST_F(ServiceLiesTest, an_auditor_that_is_switched_off_says_so) {
  StockdProcess stockd(primary_only({"--audit-budget", "0%"}));
  EXPECT_EQ(metric(stockd, "stock_audit_up"), 0);
  EXPECT_THAT(stockd.get("/readyz").body,
              HasSubstr("ok auditor: switched off by --audit-budget\n"));
}

TEST_F(ServiceLiesTest, the_auditor_finds_what_its_self_test_plants) {
  StockdProcess stockd(all_layers());
  const std::vector<std::string> layers = {"made_up", "memory", "redis"};
  const auto lies = [](const std::string& layer, const std::string& outcome) {
    return "stock_selftest_lies_total{layer=\"" + layer + "\",outcome=\"" + outcome + "\"}";
  };
  for (const std::string& layer : layers) {
    EXPECT_TRUE(eventually([&] { return metric(stockd, lies(layer, "found")); }, Ge(8))) << layer;
  }
  // A copy without a version is none in Redis.
  const std::string page = stockd.get("/metrics").body;
  double found = 0;
  for (const std::string& layer : layers) {
    found += metric_on(page, lies(layer, "found"));
    EXPECT_EQ(metric_on(page, lies(layer, "missed")), 0) << layer;
    EXPECT_EQ(metric_on(page, "stock_selftest_false_accusations_total{layer=\"" + layer + "\"}"), 0)
        << layer;
  }
  EXPECT_EQ(metric_on(page, "stock_selftest_detection_seconds_count"), found);
  // No incident is made of it, and nothing of it stays.
  EXPECT_EQ(primary().connect().number("SELECT count(*) FROM stock.incident WHERE sku < ' '"), 0);
  EXPECT_TRUE(eventually([] { return redis().command({"KEYS", "stock:*\x01*"}); }, Eq("")));
}

TEST_F(ServiceLiesTest, the_self_test_plants_nothing_in_what_is_switched_off) {
  StockdProcess stockd(all_layers());
  StockClient client(stockd.address());
  v1::UpdateLayerRequest off;
  off.set_layer(v1::LAYER_REDIS);
  off.set_enabled(false);
  off.set_actor("ana");
  off.set_reason("to see");
  ASSERT_TRUE(client.update_layer(off).ok());
  const std::string here = "stock_selftest_lies_total{layer=\"redis\",outcome=\"found\"}";
  const std::string there = "stock_selftest_lies_total{layer=\"memory\",outcome=\"found\"}";
  // A trial of before may be under way.
  const auto await_trials = [&](int more) {
    const double before = metric(stockd, there);
    EXPECT_TRUE(eventually([&] { return metric(stockd, there); }, Ge(before + 8 * more)));
  };
  await_trials(1);
  const double found = metric(stockd, here);
  await_trials(2);
  EXPECT_EQ(metric(stockd, here), found);
}

}  // namespace
}  // namespace stock
