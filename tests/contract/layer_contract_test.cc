// What every layer, and every decorator of one, promises to whoever asks it (stock/layers/layer.h).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "stock/clock/database_clock.h"
#include "stock/clock/local_clock.h"
#include "stock/clock/timer_thread.h"
#include "stock/feed/ledger_identity.h"
#include "stock/layers/breaker.h"
#include "stock/layers/flights.h"
#include "stock/layers/switch.h"
#include "stock/memory/memory_layer.h"
#include "stock/postgres/database_layer.h"
#include "stock/postgres/heart.h"
#include "stock/postgres/pool.h"
#include "stock/redis/redis_layer.h"
#include "support/eventually.h"
#include "support/postgres_server.h"
#include "support/redis_server.h"

namespace stock {
namespace {

using namespace std::chrono_literals;
using domain::Key;
using domain::Outcome;
using layers::Answer;
using support::eventually;

// The servers and what one process knows of them; started once.
struct World {
  clock::BootClock local;
  clock::TimerThread timers{local};
  clock::DatabaseClock clock{local};
  feed::LedgerIdentity identity;
  postgres::Knowledge knowledge{local, clock, identity};
  support::PostgresServer primary_server;
  support::PostgresReplica replica_server{primary_server.port()};
  support::RedisServer redis_server;
  postgres::Heart heart{{.session = session(primary_server.url())}, knowledge, timers};
  postgres::Pool primary_pool{{.session = session(primary_server.url())}, local, timers};
  postgres::Pool replica_pool{
      {.session = session(replica_server.url("stock_reader"))}, local, timers};
  postgres::DatabaseLayer primary{postgres::Role::kPrimary, primary_pool, timers, knowledge};
  postgres::DatabaseLayer replica{postgres::Role::kReplica, replica_pool, timers, knowledge};
  feed::View no_feed{0};
  memory::MemoryLayer memory{{.capacity = 10'000}, no_feed};
  memory::PeekLayer peek{memory};
  layers::Switch power{"memory"};
  layers::Switched switched{memory, &memory, power};
  std::unique_ptr<redis::RedisLayer> redis_layer = std::make_unique<redis::RedisLayer>(
      redis::RedisOptions{.port = redis_server.port(), .timeout = 10s}, identity);
  redis::RedisLayer& redis = *redis_layer;
  layers::Flights flights{
      memory, local, timers, {.max_flights = 2, .max_batch = 64, .timeout = 10s}};
  layers::Breaker breaker{memory, local, {}};
  layers::Flights redis_flights{
      redis, local, timers, {.max_flights = 2, .max_batch = 64, .timeout = 10s}};
  layers::Breaker guarded_redis{redis_flights, local, {}};

  static postgres::SessionOptions session(const std::string& url) {
    return {
        .url = url, .application_name = "contract", .statement_timeout = 10s, .hang_limit = 20s};
  }
  // What is still under way is answered while those who wait for it are there.
  ~World() { redis_layer.reset(); }
  World() {
    primary_server.connect().exec("INSERT INTO stock.location (id) VALUES ('main')");
    EXPECT_TRUE(eventually([this] { return heart.state().heartbeat > 0; }));
    EXPECT_TRUE(eventually([this] { return redis.stats().connected; }));
  }
};

std::unique_ptr<World> the_world;
World& world() { return *the_world; }

class WorldEnvironment final : public ::testing::Environment {
 public:
  void SetUp() override { the_world = std::make_unique<World>(); }
  void TearDown() override { the_world.reset(); }
};
[[maybe_unused]] const auto* const kWorld =
    ::testing::AddGlobalTestEnvironment(new WorldEnvironment);

struct Case {
  std::string name;
  std::function<layers::Layer&()> layer;
  // Makes the layer know that `key` has `on_hand` units, in version 1.
  std::function<void(const Key&, std::int64_t)> plant;
  bool knows_absence = false;  // it can say that there is no level
};

void in_the_ledger(const Key& key, std::int64_t on_hand) {
  world().primary_server.connect().exec(
      "INSERT INTO stock.level (sku, location, on_hand) VALUES ('" + key.sku + "', '" +
      key.location + "', " + std::to_string(on_hand) + ")");
}

domain::Reading copy_of(std::int64_t on_hand) {
  return {.exists = true,
          .version = 1,
          .counts = {.on_hand = on_hand},
          .as_of = domain::DatabaseTime(1s),
          .true_through = domain::DatabaseTime(2s),
          .incarnation = world().identity.current(),
          .heartbeat = 1};
}

template <typename Layer>
void offered(Layer& layer, const Key& key, std::int64_t on_hand) {
  const std::vector<Key> keys{key};
  const std::vector<domain::Reading> readings{copy_of(on_hand)};
  layer.offer(keys, readings);
}

struct Asked {
  std::vector<Answer> answers;
  int calls = 0;
};

Asked ask(layers::Layer& layer, const std::vector<Key>& keys) {
  Asked asked;
  asked.answers.resize(keys.size());
  std::promise<void> done;
  layer.read(keys, asked.answers, {}, [&](const std::string&) {
    ++asked.calls;
    done.set_value();
  });
  done.get_future().get();
  return asked;
}

class LayerContractTest : public ::testing::TestWithParam<Case> {
 protected:
  layers::Layer& layer() { return GetParam().layer(); }
  Key key(const std::string& sku) { return {GetParam().name + " " + sku, "main"}; }
  // A layer that others fill may take a moment to show what it was told.
  void plant(const Key& key, std::int64_t on_hand) {
    GetParam().plant(key, on_hand);
    ASSERT_TRUE(eventually([&] { return ask(layer(), {key}).answers[0].reading.version; },
                           ::testing::Eq(1)));
  }
};

TEST_P(LayerContractTest, what_it_knows_it_says_with_version_and_date) {
  const Key known = key("known");
  plant(known, 42);
  const Answer answer = ask(layer(), {known}).answers[0];
  EXPECT_TRUE(answer.found());
  EXPECT_TRUE(answer.reading.exists);
  EXPECT_EQ(answer.reading.counts, (domain::Counts{.on_hand = 42}));
  EXPECT_EQ(answer.reading.version, 1);
  EXPECT_EQ(answer.reading.incarnation, world().identity.current());
}

TEST_P(LayerContractTest, no_date_is_optimistic) {
  const Key dated = key("dated");
  plant(dated, 1);
  const Answer answer = ask(layer(), {dated}).answers[0];
  EXPECT_LE(answer.reading.true_through, *world().clock.latest(world().local.now()));
  EXPECT_LE(answer.reading.as_of, *world().clock.latest(world().local.now()));
}

TEST_P(LayerContractTest, what_it_does_not_know_is_a_miss_or_an_absence) {
  const Answer answer = ask(layer(), {key("unknown")}).answers[0];
  if (GetParam().knows_absence) {
    EXPECT_EQ(answer.outcome, Outcome::kHit);
    EXPECT_FALSE(answer.reading.exists);
    EXPECT_EQ(answer.reading.version, 0);
  } else {
    EXPECT_EQ(answer.outcome, Outcome::kMiss);
  }
}

TEST_P(LayerContractTest, answers_stand_where_their_keys_stand) {
  plant(key("x"), 1);
  plant(key("y"), 2);
  const Asked asked = ask(layer(), {key("y"), key("none"), key("x")});
  EXPECT_EQ(asked.answers[0].reading.counts.on_hand, 2);
  EXPECT_EQ(asked.answers[1].reading.version, 0);
  EXPECT_EQ(asked.answers[2].reading.counts.on_hand, 1);
}

TEST_P(LayerContractTest, a_thousand_keys_are_answered_by_one_call) {
  plant(key("in a crowd"), 7);
  std::vector<Key> keys;
  for (int i = 0; i < 999; ++i) keys.push_back(key("crowd " + std::to_string(i)));
  keys.push_back(key("in a crowd"));
  const Asked asked = ask(layer(), keys);
  EXPECT_EQ(asked.calls, 1);
  EXPECT_EQ(asked.answers[999].reading.counts.on_hand, 7);
  for (int i = 0; i < 999; ++i)
    EXPECT_EQ(asked.answers[static_cast<std::size_t>(i)].reading.version, 0);
}

TEST_P(LayerContractTest, the_same_sku_at_another_location_is_another_key) {
  plant(key("here"), 3);
  EXPECT_EQ(ask(layer(), {{key("here").sku, "elsewhere"}}).answers[0].reading.version, 0);
}

TEST_P(LayerContractTest, many_threads_each_get_their_own_answers) {
  for (int i = 0; i < 4; ++i) plant(key("thread " + std::to_string(i)), 100 + i);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int round = 0; round < 50; ++round) {
        const int i = (t + round) % 4;
        const Asked asked = ask(layer(), {key("thread " + std::to_string(i)), key("nobody")});
        if (asked.calls != 1 || asked.answers[0].reading.counts.on_hand != 100 + i) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_P(LayerContractTest, its_name_is_a_label) {
  EXPECT_THAT(std::string(layer().name()), ::testing::MatchesRegex("[a-z_]+"));
}

std::vector<Case> cases() {
  const auto in_memory = [](const Key& key, std::int64_t n) { offered(world().memory, key, n); };
  const auto in_redis = [](const Key& key, std::int64_t n) { offered(world().redis, key, n); };
  return {
      {"memory", []() -> layers::Layer& { return world().memory; }, in_memory},
      {"peek", []() -> layers::Layer& { return world().peek; }, in_memory},
      {"redis", []() -> layers::Layer& { return world().redis; }, in_redis},
      {"replica", []() -> layers::Layer& { return world().replica; }, in_the_ledger, true},
      {"primary", []() -> layers::Layer& { return world().primary; }, in_the_ledger, true},
      {"flights", []() -> layers::Layer& { return world().flights; }, in_memory},
      {"breaker", []() -> layers::Layer& { return world().breaker; }, in_memory},
      {"switched", []() -> layers::Layer& { return world().switched; }, in_memory},
      {"guarded_redis", []() -> layers::Layer& { return world().guarded_redis; }, in_redis},
  };
}

// What a layer promises besides that can be gone through (stock/layers/walkable.h).
class WalkableContractTest : public ::testing::TestWithParam<std::string> {
 protected:
  postgres::DatabaseLayer& layer() {
    return GetParam() == "primary" ? world().primary : world().replica;
  }
  layers::LevelPage walk(const Key& after, std::int32_t limit) {
    std::promise<absl::StatusOr<layers::LevelPage>> done;
    layer().walk({after, limit}, {},
                 [&](absl::StatusOr<layers::LevelPage> page) { done.set_value(std::move(page)); });
    const auto page = done.get_future().get();
    EXPECT_TRUE(page.ok()) << page.status();
    return page.value_or(layers::LevelPage());
  }
};

TEST_P(WalkableContractTest, it_names_every_level_once_and_says_of_it_what_it_says_of_the_key) {
  const std::string prefix = "walked by " + GetParam() + " ";
  for (const char* sku : {"b", "a", "d", "c", "e"}) in_the_ledger({prefix + sku, "main"}, 5);
  const Key last{prefix + "e", "main"};
  ASSERT_TRUE(eventually([&] { return ask(layer(), {last}).answers[0].reading.version == 1; }));
  std::map<Key, domain::Reading> named;
  Key after{prefix, ""};
  while (!named.contains(last)) {
    const layers::LevelPage page = walk(after, 2);
    ASSERT_FALSE(page.keys.empty());
    ASSERT_EQ(page.readings.size(), page.keys.size());
    for (std::size_t i = 0; i < page.keys.size(); ++i) {
      EXPECT_GT(page.keys[i], after);
      EXPECT_TRUE(named.emplace(page.keys[i], page.readings[i]).second) << page.keys[i].sku;
    }
    after = named.rbegin()->first;
  }
  std::erase_if(named, [&](const auto& level) { return !level.first.sku.starts_with(prefix); });
  ASSERT_EQ(named.size(), 5u);
  for (const auto& [key, walked] : named) {
    const domain::Reading read = ask(layer(), {key}).answers[0].reading;
    EXPECT_EQ(walked.exists, read.exists);
    EXPECT_EQ(walked.version, read.version);
    EXPECT_EQ(walked.counts, read.counts);
    EXPECT_EQ(walked.as_of, read.as_of);
    EXPECT_EQ(walked.incarnation, read.incarnation);
    EXPECT_LE(walked.true_through, read.true_through);
  }
}

INSTANTIATE_TEST_SUITE_P(Layers, WalkableContractTest, ::testing::Values("primary", "replica"),
                         [](const auto& info) { return info.param; });

INSTANTIATE_TEST_SUITE_P(Layers, LayerContractTest, ::testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace stock
