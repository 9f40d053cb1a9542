// A layer is switched off and on at run time: in all processes, over restarts, and in plain sight.
#include "service_world.h"

namespace stock {
namespace {

constexpr const char* kOff = "memory bypassed, redis bypassed, ";

class ServiceSwitchesTest : public ServiceTest {
 protected:
  void TearDown() override {
    primary().connect().exec("UPDATE stock.layer SET enabled = true, repair = 'off'");
  }
  static auto turn(StockClient& client, v1::Layer layer, bool on) {
    v1::UpdateLayerRequest request;
    request.set_layer(layer);
    request.set_enabled(on);
    request.set_actor("ana@desk");
    request.set_reason("it lies");
    return client.update_layer(request);
  }
  static std::string trail(StockClient& client, const std::string& sku) {
    const auto read = client.get(sku, "main", at_most(1h));
    EXPECT_TRUE(read.ok()) << read.message;
    return trail_of(read.response.provenance());
  }
  static double enabled(const StockdProcess& stockd, const std::string& layer) {
    return metric(stockd, "stock_layer_enabled{layer=\"" + layer + "\"}");
  }
};

TEST_F(ServiceSwitchesTest, a_disabled_layer_is_bypassed_by_all_processes_and_after_restarts) {
  StockdProcess one(all_layers());
  StockdProcess two(all_layers());
  StockClient first(one.address());
  StockClient second(two.address());
  first.create_location("main", "Main");
  ASSERT_TRUE(first.adjust("switch", "main", 7).ok());
  EXPECT_EQ(enabled(two, "redis"), 1);

  const auto turned = turn(first, v1::LAYER_REDIS, false);
  ASSERT_TRUE(turned.ok()) << turned.message;
  EXPECT_FALSE(turned.response.setting().enabled());
  EXPECT_EQ(turned.response.setting().switched().actor(), "ana@desk");
  EXPECT_GT(turned.response.setting().switched().time().seconds(), 0);
  // Here at once.
  const auto read = first.get("never asked", "main", at_most(1h));
  ASSERT_TRUE(read.ok()) << read.message;
  EXPECT_THAT(trail_of(read.response.provenance()), StartsWith("memory miss, redis bypassed, "));
  EXPECT_THAT(read.response.provenance().trail(1).detail(),
              ::testing::MatchesRegex("disabled by ana@desk since .* UTC: it lies"));
  // There soon.
  EXPECT_TRUE(eventually([&] { return enabled(two, "redis"); }, Eq(0)));
  EXPECT_THAT(trail(second, "never asked either"), StartsWith("memory miss, redis bypassed, "));
  EXPECT_THAT(two.get("/readyz").body, HasSubstr("ok redis: disabled by ana@desk since "));
  // Nothing is put into it either.
  EXPECT_EQ(redis().command({"KEYS", "stock:*:4:main:never asked*"}), "");

  StockdProcess three(all_layers());
  EXPECT_TRUE(eventually([&] { return enabled(three, "redis"); }, Eq(0)));
  StockClient third(three.address());
  EXPECT_THAT(trail(third, "nor this"), StartsWith("memory miss, redis bypassed, "));

  // Once more changes nothing of who did it.
  v1::UpdateLayerRequest again;
  again.set_layer(v1::LAYER_REDIS);
  again.set_enabled(false);
  again.set_actor("bob");
  EXPECT_EQ(second.update_layer(again).response.setting().SerializeAsString(),
            turned.response.setting().SerializeAsString());

  ASSERT_TRUE(turn(second, v1::LAYER_REDIS, true).ok());
  EXPECT_TRUE(eventually([&] { return enabled(one, "redis") + enabled(three, "redis"); }, Eq(2)));
  EXPECT_THAT(trail(first, "asked again"), StartsWith("memory miss, redis miss, "));
}

TEST_F(ServiceSwitchesTest, memory_that_is_on_again_holds_nothing_of_before) {
  StockdProcess stockd(all_layers({"--feed", "off"}));  // so that nothing keeps copies current
  StockClient client(stockd.address());
  client.create_location("main", "Main");
  ASSERT_TRUE(client.adjust("old", "main", 7).ok());
  ASSERT_TRUE(eventually([&] { return trail(client, "old"); }, Eq("memory hit")));
  ASSERT_TRUE(turn(client, v1::LAYER_MEMORY, false).ok());
  ASSERT_TRUE(turn(client, v1::LAYER_REDIS, false).ok());
  EXPECT_THAT(trail(client, "old"), StartsWith(kOff));
  ASSERT_TRUE(turn(client, v1::LAYER_MEMORY, true).ok());
  EXPECT_THAT(trail(client, "old"), StartsWith("memory miss, redis bypassed, "));
}

TEST_F(ServiceSwitchesTest, a_disabled_replica_is_not_asked_for_lists_either) {
  StockdProcess stockd(all_layers());
  StockClient client(stockd.address());
  client.create_location("main", "Main");
  ASSERT_TRUE(turn(client, v1::LAYER_REPLICA, false).ok());
  const auto listed = client.list({});
  ASSERT_TRUE(listed.ok()) << listed.message;
  EXPECT_EQ(trail_of(listed.response.provenance()), "replica bypassed, primary hit");
  EXPECT_THAT(listed.response.provenance().trail(0).detail(), StartsWith("disabled by ana@desk"));
}

TEST_F(ServiceSwitchesTest, what_cannot_be_set_is_refused_with_the_reason) {
  StockdProcess stockd(primary_only());
  StockClient client(stockd.address());
  const auto primary_off = turn(client, v1::LAYER_PRIMARY, false);
  EXPECT_EQ(primary_off.code, kInvalidArgument);
  EXPECT_EQ(primary_off.message,
            "enabled: the primary cannot be disabled: it is the ledger that the others hold copies "
            "of");
  EXPECT_TRUE(turn(client, v1::LAYER_PRIMARY, true).ok());
  EXPECT_EQ(turn(client, v1::LAYER_UNSPECIFIED, false).code, kInvalidArgument);
  EXPECT_EQ(client.update_layer({}).code, kInvalidArgument);
  v1::UpdateLayerRequest repair;
  repair.set_layer(v1::LAYER_REPLICA);
  repair.set_repair_policy(v1::REPAIR_POLICY_DROP);
  EXPECT_EQ(client.update_layer(repair).code, kInvalidArgument);
  // Of a layer that this process does not use: for those that do.
  EXPECT_TRUE(turn(client, v1::LAYER_REDIS, false).ok());
  EXPECT_EQ(primary().connect().number("SELECT count(*) FROM stock.layer WHERE NOT enabled"), 1);
}

TEST_F(ServiceSwitchesTest, each_layer_has_its_price) {
  StockdProcess stockd(all_layers({"--audit-interval", "50ms"}));
  StockClient client(stockd.address());
  client.create_location("main", "Main");
  ASSERT_TRUE(client.adjust("priced", "main", 7).ok());
  ASSERT_TRUE(eventually([&] { return trail(client, "priced"); }, Eq("memory hit")));
  v1::ListLayersResponse prices;
  ASSERT_TRUE(eventually([&] {
    prices = client.layers().response;
    return prices.layers(0).costs().examined() > 0 && prices.layers(3).costs().examined() > 0;
  }));
  ASSERT_EQ(prices.layers_size(), 4);
  const v1::LayerReport& memory = prices.layers(0);
  EXPECT_EQ(memory.setting().layer(), v1::LAYER_MEMORY);
  EXPECT_TRUE(memory.setting().enabled());
  EXPECT_TRUE(memory.up());
  EXPECT_GE(memory.gains().keys_hit(), 1);
  EXPECT_LE(memory.gains().keys_hit(), memory.gains().keys_asked());
  EXPECT_GE(memory.gains().answers(), 1);
  EXPECT_EQ(memory.gains().database_reads_saved(), memory.gains().answers());
  EXPECT_EQ(memory.costs().diverged_per_million(), 0);
  EXPECT_TRUE(memory.costs().has_age_p99());
  double share = 0;
  for (const v1::LayerReport& layer : prices.layers()) share += layer.gains().answer_share();
  EXPECT_DOUBLE_EQ(share, 1);
  EXPECT_GT(prices.observed().seconds() * 1e9 + prices.observed().nanos(), 0);
}

}  // namespace
}  // namespace stock
