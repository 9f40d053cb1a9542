// A divergence becomes an incident: with its evidence, once, on record until it is over, and over
// restarts; honest layers have none.
#include <algorithm>
#include <atomic>
#include <thread>

#include "planted_copy.h"
#include "service_world.h"
#include "stock/drift/words.h"
#include "support/stock_stream.h"

namespace stock {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ServiceIncidentsTest : public ServiceTest {
 protected:
  void TearDown() override {
    support::Sql sql = primary().connect();
    sql.exec("DELETE FROM stock.incident");
    sql.exec("UPDATE stock.layer SET repair = 'off'");
  }
  static StockdProcess::Options options() { return all_layers({"--audit-interval", "50ms"}); }
  static std::string series(const std::string& name, const std::string& layer,
                            const std::string& verdict) {
    return name + "{layer=\"" + layer + "\",verdict=\"" + verdict + "\"}";
  }
  // Newest first.
  static std::vector<v1::Incident> incidents(StockClient& client, bool open = false,
                                             const std::string& layer = "") {
    v1::ListIncidentsRequest request;
    request.set_open(open);
    request.set_layer(layer);
    const auto listed = client.incidents(request);
    EXPECT_TRUE(listed.ok()) << listed.message;
    return {listed.response.incidents().begin(), listed.response.incidents().end()};
  }
  static auto open_incidents(StockClient& client) {
    return [&client] { return incidents(client, true).size(); };
  }
  // Versions 1 to 3 of it: 40, 80 and 120 on hand.
  static domain::Key book(StockClient& client, const std::string& sku) {
    client.create_location("main", "Main");
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(client.adjust(sku, "main", 40).ok());
    return {sku, "main"};
  }
  static domain::Reading copy(const domain::Key& key, domain::Version version,
                              std::int64_t on_hand) {
    return stock::copy(primary(), key, version, on_hand);
  }
};

TEST_F(ServiceIncidentsTest, a_rogue_value_is_one_incident_with_exact_evidence_until_it_is_gone) {
  StockdProcess stockd(options());
  StockClient client(stockd.address());
  const domain::Key key = book(client, "rogue");
  EXPECT_THAT(incidents(client), IsEmpty());
  const domain::Reading lie = copy(key, 3, 42);
  plant(redis(), key, lie);
  ASSERT_TRUE(eventually(open_incidents(client), Eq(1)));

  const v1::Incident incident = incidents(client).front();
  EXPECT_EQ(incident.layer(), "redis");
  EXPECT_EQ(incident.verdict(), v1::VERDICT_WRONG_COUNT);
  EXPECT_EQ(incident.key().sku(), "rogue");
  EXPECT_EQ(incident.key().location(), "main");
  const v1::Statement& said = incident.evidence().statement();
  EXPECT_EQ(said.witness(), "redis");
  EXPECT_EQ(said.version(), 3);
  EXPECT_EQ(said.counts().on_hand(), 42);
  EXPECT_EQ(said.true_through().seconds(),
            std::chrono::floor<std::chrono::seconds>(lie.true_through).time_since_epoch().count());
  EXPECT_EQ(incident.evidence().units(), -78);
  EXPECT_EQ(incident.evidence().versions(), 0);
  EXPECT_EQ(incident.evidence().words(), "version 3 has 120, not 42");
  EXPECT_TRUE(incident.truth_exists());
  EXPECT_EQ(incident.truth().on_hand(), 120);
  EXPECT_EQ(incident.truth_version(), 3);
  EXPECT_THAT(incident.witnesses(), ElementsAre("redis"));
  EXPECT_EQ(incident.keys(), 1);
  EXPECT_EQ(incident.keys_open(), 1);
  EXPECT_FALSE(incident.has_closed_at());
  EXPECT_TRUE(eventually(
      [&] { return metric(stockd, series("stock_incidents_open", "redis", "wrong_count")); },
      Eq(1)));
  EXPECT_TRUE(eventually(
      [&] { return metric(stockd, "stock_incident_oldest_open_seconds{layer=\"redis\"}"); },
      Gt(0)));

  plant(redis(), key, copy(key, 3, 120));
  ASSERT_TRUE(eventually(open_incidents(client), Eq(0)));
  const auto closed = incidents(client);
  ASSERT_THAT(closed, SizeIs(1));
  EXPECT_EQ(closed[0].id(), incident.id());
  EXPECT_TRUE(closed[0].has_closed_at());
  EXPECT_EQ(closed[0].keys_open(), 0);
  EXPECT_EQ(closed[0].evidence().words(), "version 3 has 120, not 42");
  EXPECT_TRUE(eventually(
      [&] { return metric(stockd, series("stock_incidents_open", "redis", "wrong_count")); },
      Eq(0)));
  EXPECT_EQ(metric(stockd, series("stock_incidents_opened_total", "redis", "wrong_count")), 1);
  EXPECT_EQ(metric(stockd, series("stock_incidents_closed_total", "redis", "wrong_count")), 1);
}

TEST_F(ServiceIncidentsTest, what_a_lie_costs_is_counted_while_it_is_told_and_no_longer) {
  StockdProcess stockd(options());
  StockClient client(stockd.address());
  const domain::Key key = book(client, "costly");
  const auto costs = [&](v1::Layer layer) {
    const auto layers = client.layers();
    for (const v1::LayerReport& report : layers.response.layers()) {
      if (report.setting().layer() == layer) return report.costs();
    }
    ADD_FAILURE() << layers.message;
    return v1::LayerCosts();
  };
  const auto told = std::chrono::steady_clock::now();
  plant(redis(), key, copy(key, 3, 20));
  EXPECT_TRUE(eventually([&] { return costs(v1::LAYER_REDIS).unit_seconds(); }, Gt(50)));
  EXPECT_TRUE(eventually([&] { return costs(v1::LAYER_REDIS).open_incidents(); }, Eq(1)));
  plant(redis(), key, copy(key, 3, 120));
  ASSERT_TRUE(eventually([&] { return costs(v1::LAYER_REDIS).open_incidents(); }, Eq(0)));
  const std::chrono::duration<double> lasted = std::chrono::steady_clock::now() - told;
  const auto passes = [&] { return metric(stockd, R"(stock_audit_passes_total{outcome="ok"})"); };
  ASSERT_TRUE(eventually(passes, Gt(passes() + 1)));  // what was found is summed up

  // Off by 100 units, for no longer than that.
  const v1::LayerCosts redis_costs = costs(v1::LAYER_REDIS);
  EXPECT_LE(redis_costs.unit_seconds(), 100 * lasted.count());
  const std::vector<int> windows = {0, 1, 10, 60, 300};
  ASSERT_EQ(redis_costs.nines_size(), std::ssize(windows));
  for (int i = 0; i < redis_costs.nines_size(); ++i) {
    EXPECT_EQ(redis_costs.nines(i).window().seconds(), windows[static_cast<std::size_t>(i)]);
    EXPECT_TRUE(redis_costs.nines(i).has_nines());
    // A count that never was is wrong however long one looks back.
    EXPECT_LT(redis_costs.nines(i).nines(), costs(v1::LAYER_PRIMARY).nines(i).nines());
  }
  EXPECT_EQ(costs(v1::LAYER_REDIS).unit_seconds(), redis_costs.unit_seconds());
  EXPECT_NEAR(metric(stockd, R"(stock_divergence_unit_seconds_total{layer="redis"})"),
              redis_costs.unit_seconds(), 0.01);
  EXPECT_EQ(costs(v1::LAYER_PRIMARY).unit_seconds(), 0);
  EXPECT_EQ(costs(v1::LAYER_PRIMARY).incidents_per_million_answers(), 0);
}

TEST_F(ServiceIncidentsTest, a_version_that_was_put_back_names_the_one_that_replaced_it) {
  StockdProcess stockd(options());
  StockClient client(stockd.address());
  const domain::Key key = book(client, "back");
  ASSERT_TRUE(eventually(
      [&] {
        return primary().connect().number(
            "SELECT count(*) FROM stock.commit JOIN stock.movement USING (xid)"
            " WHERE sku = 'back' AND version = 2");
      },
      Eq(1)));
  plant(redis(), key, copy(key, 1, 40));
  ASSERT_TRUE(eventually(open_incidents(client), Eq(1)));
  const v1::Incident incident = incidents(client).front();
  EXPECT_EQ(incident.verdict(), v1::VERDICT_MISDATED);
  EXPECT_EQ(incident.superseded_by(), 2);
  EXPECT_EQ(incident.evidence().versions(), 2);
  EXPECT_EQ(incident.evidence().units(), -80);
  EXPECT_TRUE(incident.evidence().has_true_from());
  EXPECT_TRUE(incident.evidence().has_true_until());
  plant(redis(), key, copy(key, 3, 120));
  EXPECT_TRUE(eventually(open_incidents(client), Eq(0)));
}

// Also of what was written down and read again.
TEST_F(ServiceIncidentsTest, the_evidence_of_a_false_date_says_which_one_it_is) {
  StockdProcess stockd(options());
  StockClient client(stockd.address());
  const domain::Key key = book(client, "dates");
  v1::CreateReservationRequest request;
  auto& line = *request.add_lines();
  line.mutable_key()->set_sku(key.sku);
  line.mutable_key()->set_location(key.location);
  line.set_quantity(5);
  request.mutable_ttl()->set_seconds(3600);
  const auto held = client.reserve(request);
  ASSERT_TRUE(held.ok()) << held.message;
  support::Sql sql = primary().connect();
  const std::string shown_by =
      "SELECT coalesce(max(commit.heartbeat), 0) FROM stock.commit JOIN stock.movement USING (xid)"
      " WHERE sku = 'dates' AND version = 4";
  ASSERT_TRUE(eventually([&] { return sql.number(shown_by); }, Gt(0)));

  domain::Reading honest = copy(key, 4, 120);
  honest.counts.reserved = 5;
  honest.earliest_expiry = domain::DatabaseTime(std::chrono::microseconds(sql.number(
      "SELECT (extract(epoch FROM earliest_expire_at) * 1000000)::bigint FROM stock.level"
      " WHERE sku = 'dates'")));
  const auto is_put_down = [&](const domain::Reading& lie, const std::string& words) {
    plant(redis(), key, lie);
    EXPECT_TRUE(eventually(
        [&] {
          const auto open = incidents(client, true);
          return open.empty() ? "" : open.front().evidence().words();
        },
        HasSubstr(words)));
    EXPECT_EQ(incidents(client).front().verdict(), v1::VERDICT_MISDATED);
    plant(redis(), key, honest);
    EXPECT_TRUE(eventually(open_incidents(client), Eq(0)));
  };
  domain::Reading lie = honest;
  lie.heartbeat += 1'000'000;
  is_put_down(lie, "115 is true, but its heartbeat, " + drift::grouped(lie.heartbeat) +
                       ", is none that there was");
  lie = copy(key, 3, 120);
  lie.true_through = lie.as_of;
  lie.heartbeat = sql.number(shown_by);
  is_put_down(lie, "1 version ago, but it claims to have seen heartbeat " +
                       drift::grouped(lie.heartbeat) +
                       ", which shows its successor; superseded by version 4");
  lie = honest;
  lie.as_of = domain::DatabaseTime(1s);
  is_put_down(lie, "115 is true, but it was not committed at 1970-01-01 00:00:01.000");
  lie = honest;
  lie.earliest_expiry += 1h;
  is_put_down(lie, "115 is true, but the first of its holds does not end at ");
}

TEST_F(ServiceIncidentsTest, a_poisoned_cache_is_one_incident_with_a_count) {
  StockdProcess stockd(options());
  StockClient client(stockd.address());
  client.create_location("main", "Main");
  constexpr int kKeys = 200;
  const auto key_of = [](int i) { return domain::Key{"poison" + std::to_string(i), "main"}; };
  // Not through the service, which would put copies into redis itself.
  primary().connect().exec(
      "INSERT INTO stock.level (sku, location, on_hand)"
      " SELECT 'poison' || i, 'main', 10 FROM generate_series(0, 199) AS i");
  const domain::Reading lie = copy(key_of(0), 1, 7);
  for (int i = 0; i < kKeys; ++i) plant(redis(), key_of(i), lie);
  ASSERT_TRUE(eventually(
      [&] {
        const auto found = incidents(client, true);
        return found.empty() ? 0 : found.front().keys();
      },
      Eq(kKeys)));
  ASSERT_THAT(incidents(client), SizeIs(1));
  EXPECT_TRUE(incidents(client).front().grouped());
  EXPECT_EQ(incidents(client).front().keys_open(), kKeys);

  const domain::Reading honest = copy(key_of(0), 1, 10);  // one transaction made all
  for (int i = 0; i < kKeys; ++i) plant(redis(), key_of(i), honest);
  EXPECT_TRUE(eventually(open_incidents(client), Eq(0)));
  EXPECT_EQ(incidents(client).front().keys(), kKeys);
}

TEST_F(ServiceIncidentsTest, an_incident_survives_a_restart_and_is_closed_by_whoever_comes_after) {
  domain::Key key;
  std::int64_t id = 0;
  {
    StockdProcess stockd(options());
    StockClient client(stockd.address());
    key = book(client, "restart");
    plant(redis(), key, copy(key, 9, 42));
    ASSERT_TRUE(eventually(open_incidents(client), Eq(1)));
    id = incidents(client).front().id();
  }
  {
    StockdProcess stockd(options());
    StockClient client(stockd.address());
    // It is looked at again: seen later than by the process before.
    const auto seen = [&] { return incidents(client, true).front().last_seen_at().seconds(); };
    const auto before = seen();
    ASSERT_TRUE(eventually(seen, Gt(before)));
    ASSERT_THAT(incidents(client), SizeIs(1));
    EXPECT_EQ(incidents(client).front().id(), id);
  }
  plant(redis(), key, copy(key, 3, 120));
  StockdProcess stockd(options());
  StockClient client(stockd.address());
  EXPECT_TRUE(eventually(open_incidents(client), Eq(0)));
  ASSERT_THAT(incidents(client), SizeIs(1));
}

TEST_F(ServiceIncidentsTest, two_instances_that_see_the_same_lie_open_one_incident) {
  StockdProcess one(options());
  StockdProcess two(options());
  StockClient client(one.address());
  StockClient other(two.address());
  const domain::Key key = book(client, "both");
  // Redis is asked by both for what is read through them; the lie is a version that readers of
  // redis cannot know to be false.
  plant(redis(), key, copy(key, 9, 42));
  for (int i = 0; i < 20; ++i) {
    client.get("both", "main", at_most(1s));
    other.get("both", "main", at_most(1s));
  }
  // Readers may have carried it into their memory by then: that is the same lie.
  ASSERT_TRUE(eventually([&] { return incidents(other, true, "redis").size(); }, Eq(1)));
  const auto all = incidents(client);
  ASSERT_THAT(all, SizeIs(1));
  const std::string open = series("stock_incidents_open", all[0].layer(), "ahead");
  EXPECT_TRUE(eventually([&] { return metric(one, open); }, Eq(1)));
  EXPECT_TRUE(eventually([&] { return metric(two, open); }, Eq(1)));
  plant(redis(), key, copy(key, 3, 120));
}

TEST_F(ServiceIncidentsTest, a_watcher_is_told_what_is_open_and_then_what_changes) {
  StockdProcess stockd(options());
  StockClient client(stockd.address());
  const domain::Key one = book(client, "watch1");
  const domain::Key two = book(client, "watch2");
  plant(redis(), one, copy(one, 9, 42));
  ASSERT_TRUE(eventually(open_incidents(client), Eq(1)));

  support::IncidentStream stream(stockd.address(), {});
  v1::WatchIncidentsResponse response;
  ASSERT_TRUE(stream.read(response));
  EXPECT_TRUE(response.initial());
  const auto tells_of = [](const std::string& sku, bool closed) {
    return [=](const v1::WatchIncidentsResponse& said) {
      return std::ranges::any_of(said.incidents(), [&](const v1::Incident& incident) {
        return incident.key().sku() == sku && incident.has_closed_at() == closed;
      });
    };
  };
  if (!tells_of("watch1", false)(response)) stream.read_until(tells_of("watch1", false));
  plant(redis(), two, copy(two, 3, 42));
  EXPECT_FALSE(stream.read_until(tells_of("watch2", false)).back().initial());
  plant(redis(), one, copy(one, 3, 120));
  stream.read_until(tells_of("watch1", true));
  plant(redis(), two, copy(two, 3, 120));
  stream.read_until(tells_of("watch2", true));
  EXPECT_THAT(incidents(client, true), IsEmpty());
}

TEST_F(ServiceIncidentsTest, a_policy_repairs_what_is_on_record) {
  StockdProcess stockd(options());
  StockClient client(stockd.address());
  const domain::Key key = book(client, "policy");
  v1::UpdateLayerRequest policy;
  policy.set_layer(v1::LAYER_REDIS);
  policy.set_repair_policy(v1::REPAIR_POLICY_REFRESH);
  ASSERT_TRUE(client.update_layer(policy).ok());
  plant(redis(), key, copy(key, 3, 42));
  EXPECT_TRUE(eventually(
      [&] { return metric(stockd, "stock_repairs_total{layer=\"redis\",outcome=\"refreshed\"}"); },
      Ge(1)));
  EXPECT_TRUE(eventually(open_incidents(client), Eq(0)));
  EXPECT_THAT(incidents(client), SizeIs(1));
}

TEST_F(ServiceIncidentsTest, honest_layers_have_none_while_keys_move) {
  StockdProcess stockd(all_layers({"--audit-interval", "20ms", "--audit-budget", "50%"}));
  StockClient client(stockd.address());
  client.create_location("main", "Main");
  std::atomic<bool> stop{false};
  std::vector<std::thread> writers;
  for (int t = 0; t < 4; ++t) {
    writers.emplace_back([&, t] {
      for (int i = 0; !stop; ++i) {
        const std::string sku = "honest" + std::to_string((i + t) % 20);
        EXPECT_TRUE(client.adjust(sku, "main", 1).ok());
        client.get(sku, "main", at_most(1s));
        if (i % 10 == t) {
          primary().connect().exec("UPDATE stock.level SET on_hand = on_hand + 1 WHERE sku = '" +
                                   sku + "'");
        }
      }
    });
  }
  EXPECT_TRUE(eventually(
      [&] { return metric(stockd, series("stock_divergence_checks_total", "redis", "current")); },
      Ge(2000)));
  stop = true;
  for (std::thread& writer : writers) writer.join();
  EXPECT_THAT(incidents(client), IsEmpty());
}

TEST_F(ServiceIncidentsTest, incidents_are_listed_by_pages_and_by_what_they_are) {
  StockdProcess stockd(options());
  StockClient client(stockd.address());
  const domain::Key one = book(client, "page1");
  const domain::Key two = book(client, "page2");
  plant(redis(), one, copy(one, 9, 42));
  ASSERT_TRUE(eventually(open_incidents(client), Eq(1)));
  plant(redis(), two, copy(two, 3, 42));
  ASSERT_TRUE(eventually(open_incidents(client), Eq(2)));

  v1::ListIncidentsRequest request;
  request.set_page_size(1);
  const auto first = client.incidents(request).response;
  ASSERT_EQ(first.incidents_size(), 1);
  EXPECT_EQ(first.incidents(0).key().sku(), "page2");
  request.set_page_token(first.next_page_token());
  const auto second = client.incidents(request).response;
  ASSERT_EQ(second.incidents_size(), 1);
  EXPECT_EQ(second.incidents(0).key().sku(), "page1");
  EXPECT_EQ(second.next_page_token(), "");
  request.set_open(true);  // another listing
  EXPECT_EQ(client.incidents(request).code, kInvalidArgument);

  v1::ListIncidentsRequest ahead;
  ahead.set_verdict(v1::VERDICT_AHEAD);
  EXPECT_EQ(client.incidents(ahead).response.incidents_size(), 1);
  v1::ListIncidentsRequest sku;
  sku.set_sku("page2");
  EXPECT_EQ(client.incidents(sku).response.incidents_size(), 1);
  EXPECT_THAT(incidents(client, false, "memory"), IsEmpty());
  ahead.set_verdict(v1::VERDICT_CURRENT);
  EXPECT_EQ(client.incidents(ahead).code, kInvalidArgument);
  plant(redis(), one, copy(one, 3, 120));
  plant(redis(), two, copy(two, 3, 120));
  EXPECT_TRUE(eventually(open_incidents(client), Eq(0)));
}

}  // namespace
}  // namespace stock
