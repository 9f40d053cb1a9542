// A lie planted in a layer is named with its evidence when somebody asks, and repaired when
// somebody says so.
#include <atomic>
#include <thread>

#include "planted_copy.h"
#include "service_world.h"

namespace stock {
namespace {

using ::testing::MatchesRegex;
using ::testing::Not;

class ServiceExplainTest : public ServiceTest {
 protected:
  void TearDown() override {
    primary().connect().exec("UPDATE stock.layer SET enabled = true, repair = 'off'");
  }
  // Versions 1 to 3 of it: 40, 80 and 120 on hand.
  static void book(StockClient& client, const std::string& sku) {
    client.create_location("main", "Main");
    for (int i = 0; i < 3; ++i) {
      v1::AdjustStockRequest request;
      request.mutable_context()->set_reason("delivery");
      request.mutable_context()->set_reference("order/" + std::to_string(i + 1));
      request.mutable_context()->set_actor("shop");
      auto& line = *request.add_lines();
      line.mutable_key()->set_sku(sku);
      line.mutable_key()->set_location("main");
      line.set_on_hand_delta(40);
      ASSERT_TRUE(client.adjust(request).ok());
    }
  }
  static v1::ExplainStockLevelResponse explain(StockClient& client, const std::string& sku,
                                               const std::string& location = "main") {
    v1::ExplainStockLevelRequest request;
    request.set_sku(sku);
    request.set_location(location);
    const auto explained = client.explain(request);
    EXPECT_TRUE(explained.ok()) << explained.message;
    return explained.response;
  }
  static v1::Finding said_by(const std::string& witness, const v1::KeyExplanation& key) {
    for (const v1::Finding& finding : key.findings()) {
      if (finding.statement().witness() == witness) return finding;
    }
    ADD_FAILURE() << "nothing of " << witness;
    return {};
  }
  // Nobody is accused while a version may still have been true: until what the database's clock
  // read at least when it was asked is after the instant by which everybody had seen its successor.
  // How well that clock is known, and how soon that instant, depends on how busy the machine is.
  // Nor is a witness that does not answer yet.
  static v1::ExplainStockLevelResponse explain_conclusively(StockClient& client,
                                                            const std::string& sku,
                                                            const std::string& witness) {
    v1::ExplainStockLevelResponse explained;
    EXPECT_TRUE(eventually(
        [&] {
          explained = explain(client, sku);
          if (explained.keys().empty()) return v1::VERDICT_UNREACHABLE;
          return said_by(witness, explained.keys(0)).verdict();
        },
        Not(AnyOf(v1::VERDICT_INCONCLUSIVE, v1::VERDICT_UNREACHABLE))));
    return explained;
  }
  static auto repair(StockClient& client, const std::string& sku, v1::Layer layer,
                     v1::RepairAction action) {
    v1::RepairStockLevelRequest request;
    request.mutable_key()->set_sku(sku);
    request.mutable_key()->set_location("main");
    request.set_layer(layer);
    request.set_action(action);
    request.set_actor("ana");
    return client.repair(request);
  }
};

TEST_F(ServiceExplainTest, a_lie_in_redis_is_named_with_what_was_true_when_and_who_changed_it) {
  StockdProcess stockd(all_layers());
  StockClient client(stockd.address());
  book(client, "lie");
  plant(redis(), {"lie", "main"}, copy(primary(), {"lie", "main"}, 3, 42));
  auto explained = explain_conclusively(client, "lie", "redis");
  ASSERT_EQ(explained.keys_size(), 1);
  const v1::KeyExplanation& key = explained.keys(0);
  EXPECT_TRUE(key.exists());
  EXPECT_EQ(key.counts().available(), 120);
  EXPECT_EQ(key.version(), 3);
  const v1::Finding liar = said_by("redis", key);
  EXPECT_EQ(liar.verdict(), v1::VERDICT_WRONG_COUNT);
  EXPECT_EQ(liar.words(), "version 3 has 120, not 42");
  EXPECT_EQ(liar.units(), -78);
  EXPECT_EQ(liar.statement().counts().available(), 42);
  EXPECT_EQ(liar.statement().version(), 3);
  const v1::Finding primary_says = said_by("primary", key);
  EXPECT_EQ(primary_says.verdict(), v1::VERDICT_CURRENT);
  EXPECT_THAT(primary_says.words(), MatchesRegex("120 is true, since ..:..:..\\...."));
  EXPECT_EQ(said_by("memory", key).statement().instance(), explained.instance());
  ASSERT_EQ(key.movements_size(), 3);
  EXPECT_EQ(key.movements(0).reference(), "order/3");
  EXPECT_EQ(key.movements(0).actor(), "shop");

  // An old copy put back says when it was true, and what replaced it.
  domain::Reading old = copy(primary(), {"lie", "main"}, 1, 40);
  old.heartbeat = 0;
  old.true_through = {};
  plant(redis(), {"lie", "main"}, old);
  explained = explain_conclusively(client, "lie", "redis");
  const v1::Finding stale = said_by("redis", explained.keys(0));
  EXPECT_EQ(stale.verdict(), v1::VERDICT_STALE);
  EXPECT_EQ(stale.versions(), 2);
  EXPECT_THAT(stale.words(),
              MatchesRegex("40 was true from ..:..:..\\.... to ..:..:..\\...., 2 versions ago; "
                           "superseded by version 2: adjust, delivery, order/2, by shop"));
  EXPECT_EQ(stale.superseded_by().version(), 2);

  plant(redis(), {"lie", "main"}, copy(primary(), {"lie", "main"}, 9, 120));
  explained = explain_conclusively(client, "lie", "redis");
  EXPECT_EQ(said_by("redis", explained.keys(0)).words(),
            "there is no version 9: the newest is 3, with 120. A write that was lost or rolled "
            "back, or another ledger's");
  // Looking changed nothing.
  EXPECT_THAT(explain_conclusively(client, "lie", "redis").keys(0).findings(1).words(),
              StartsWith("there is no"));
}

TEST_F(ServiceExplainTest, without_a_location_all_of_them_are_looked_into) {
  StockdProcess stockd(all_layers());
  StockClient client(stockd.address());
  client.create_location("main", "Main");
  client.create_location("north", "North");
  ASSERT_TRUE(client.adjust("wide", "main", 1).ok());
  ASSERT_TRUE(client.adjust("wide", "north", 2).ok());
  ASSERT_TRUE(client.adjust("wider", "north", 3).ok());
  const auto explained = explain(client, "wide", "");
  ASSERT_EQ(explained.keys_size(), 2);
  EXPECT_EQ(explained.keys(0).key().location(), "main");
  EXPECT_EQ(explained.keys(1).key().location(), "north");
  EXPECT_FALSE(explained.more_locations());
  EXPECT_EQ(explain(client, "nowhere", "").keys_size(), 0);
  EXPECT_EQ(explain(client, "nowhere").keys(0).version(), 0);
}

// Who holds this lock keeps the layer from answering, and nobody from reading the history.
TEST_F(ServiceExplainTest, what_the_ledger_says_is_told_also_when_no_witness_answers) {
  StockdProcess stockd(primary_only({"--layers", "primary", "--primary-timeout", "300ms"}));
  StockClient client(stockd.address());
  book(client, "mute");
  support::Sql sql = primary().connect();
  sql.exec("BEGIN; LOCK TABLE stock.level IN ACCESS EXCLUSIVE MODE");
  const v1::KeyExplanation key = explain(client, "mute").keys(0);
  sql.exec("ROLLBACK");
  EXPECT_EQ(said_by("primary", key).verdict(), v1::VERDICT_UNREACHABLE);
  EXPECT_TRUE(key.exists());
  EXPECT_EQ(key.version(), 3);
  EXPECT_EQ(key.counts().available(), 120);
  EXPECT_EQ(key.movements_size(), 3);
}

TEST_F(ServiceExplainTest, of_a_past_instant_it_tells_what_was_true_then) {
  StockdProcess stockd(all_layers());
  StockClient client(stockd.address());
  book(client, "past");
  v1::ExplainStockLevelRequest request;
  request.set_sku("past");
  request.set_location("main");
  request.set_movements(3);
  *request.mutable_read_time() = explain(client, "past").keys(0).movements(1).committed_at();
  const auto explained = client.explain(request);
  ASSERT_TRUE(explained.ok()) << explained.message;
  const v1::KeyExplanation& key = explained.response.keys(0);
  EXPECT_EQ(key.then().version(), 2);
  EXPECT_EQ(key.then().counts().on_hand(), 80);
  EXPECT_EQ(key.movements(0).version(), 3);
  EXPECT_THAT(said_by("primary", key).words_then(), StartsWith("it became true only at "));
  request.mutable_read_time()->set_seconds(request.read_time().seconds() + 3600);
  EXPECT_EQ(client.explain(request).code, kInvalidArgument);
}

TEST_F(ServiceExplainTest, an_audit_of_many_keys_names_those_that_diverge) {
  StockdProcess stockd(all_layers());
  StockClient client(stockd.address());
  book(client, "audited");
  v1::AuditStockLevelsRequest request;
  for (int i = 0; i < 999; ++i) {
    request.add_keys()->set_sku("quiet" + std::to_string(i));
    request.mutable_keys(i)->set_location("main");
  }
  request.add_keys()->set_sku("audited");
  request.mutable_keys(999)->set_location("main");
  plant(redis(), {"audited", "main"}, copy(primary(), {"audited", "main"}, 3, 42));
  await_redis(stockd);
  ASSERT_TRUE(
      eventually([&] { return said_by("replica", explain(client, "audited").keys(0)).verdict(); },
                 Eq(v1::VERDICT_CURRENT)));
  const auto audited = client.audit(request);
  ASSERT_TRUE(audited.ok()) << audited.message;
  ASSERT_EQ(audited.response.findings_size(), 1);
  EXPECT_EQ(audited.response.findings(0).key().sku(), "audited");
  ASSERT_EQ(audited.response.findings(0).findings_size(), 1);
  EXPECT_EQ(audited.response.findings(0).findings(0).words(), "version 3 has 120, not 42");
  std::int64_t of_redis = 0;
  for (const auto& tally : audited.response.verdicts()) {
    if (tally.witness() == "redis") of_redis += tally.keys();
  }
  EXPECT_EQ(of_redis, 1000);
  *request.mutable_keys(0) = request.keys(999);
  EXPECT_EQ(client.audit(request).code, kInvalidArgument);
  EXPECT_EQ(client.audit({}).code, kInvalidArgument);
}

TEST_F(ServiceExplainTest, a_lie_is_replaced_or_removed_in_the_layer_that_tells_it) {
  StockdProcess stockd(all_layers());
  StockClient client(stockd.address());
  book(client, "repaired");
  plant(redis(), {"repaired", "main"}, copy(primary(), {"repaired", "main"}, 3, 42));
  await_redis(stockd);
  const auto refreshed = repair(client, "repaired", v1::LAYER_REDIS, v1::REPAIR_ACTION_REFRESH);
  ASSERT_TRUE(refreshed.ok()) << refreshed.message;
  ASSERT_EQ(refreshed.response.before_size(), 4);
  ASSERT_EQ(refreshed.response.after_size(), 4);
  EXPECT_EQ(refreshed.response.before(1).verdict(), v1::VERDICT_WRONG_COUNT);
  EXPECT_EQ(refreshed.response.after(1).verdict(), v1::VERDICT_CURRENT);
  EXPECT_EQ(refreshed.response.after(1).statement().counts().on_hand(), 120);
  EXPECT_EQ(metric(stockd, R"(stock_repairs_total{layer="redis",outcome="refreshed"})"), 1);

  const auto dropped = repair(client, "repaired", v1::LAYER_REDIS, v1::REPAIR_ACTION_DROP);
  ASSERT_TRUE(dropped.ok()) << dropped.message;
  EXPECT_EQ(dropped.response.after(1).verdict(), v1::VERDICT_ABSENT);
  ASSERT_TRUE(eventually(
      [&] {
        client.get("repaired", "main", at_most(1h));
        return explain(client, "repaired").keys(0).findings(0).verdict();
      },
      Eq(v1::VERDICT_CURRENT)));
  EXPECT_EQ(repair(client, "repaired", v1::LAYER_MEMORY, v1::REPAIR_ACTION_DROP)
                .response.after(0)
                .verdict(),
            v1::VERDICT_ABSENT);
  EXPECT_EQ(repair(client, "repaired", v1::LAYER_REPLICA, v1::REPAIR_ACTION_DROP).code,
            kInvalidArgument);
  // The ledger is as it was.
  EXPECT_EQ(explain(client, "repaired").keys(0).version(), 3);

  StockdProcess without(primary_only());
  StockClient other(without.address());
  EXPECT_EQ(repair(other, "repaired", v1::LAYER_REDIS, v1::REPAIR_ACTION_DROP).code, kNotFound);
}

// A lock on the ledger holds those under way; a few wait; the next one is told to come again.
TEST_F(ServiceExplainTest, so_many_at_a_time_and_no_more) {
  StockdProcess stockd(primary_only({"--audit-budget", "0%", "--primary-timeout", "20s"}));
  StockClient client(stockd.address());
  book(client, "drowned");
  support::Sql sql = primary().connect();
  sql.exec("BEGIN; LOCK TABLE stock.movement IN ACCESS EXCLUSIVE MODE");
  std::vector<std::thread> askers;
  std::atomic<int> exhausted{0};
  std::atomic<int> answered{0};
  for (int i = 0; i < 14; ++i) {
    askers.emplace_back([&] {
      v1::ExplainStockLevelRequest request;
      request.set_sku("drowned");
      request.set_location("main");
      const auto explained = client.explain(request);
      if (explained.code == kResourceExhausted) {
        EXPECT_EQ(explained.reason, "BACKEND_BUSY");
        EXPECT_THAT(explained.details.ShortDebugString(), HasSubstr("RetryInfo"));
        ++exhausted;
      } else {
        EXPECT_TRUE(explained.ok()) << explained.message;
        ++answered;
      }
    });
  }
  EXPECT_TRUE(eventually([&] { return exhausted.load(); }, Ge(4)));  // 2 under way, 8 wait
  EXPECT_EQ(answered, 0);
  sql.exec("ROLLBACK");
  for (std::thread& asker : askers) asker.join();
  EXPECT_GE(answered, 8);
}

}  // namespace
}  // namespace stock
