// The service over all its layers: who answers, and what the trail says, while layers come and go.
#include <atomic>
#include <thread>

#include "service_world.h"
#include "stock/redis/codec.h"

namespace stock {
namespace {

class ServiceLayersTest : public ServiceTest {};

std::string key_in_redis(support::RedisServer& redis, const std::string& sku) {
  return redis.command({"KEYS", "stock:*:4:main:" + sku});
}

TEST_F(ServiceLayersTest, a_level_comes_from_a_database_first_and_then_from_memory) {
  StockdProcess stockd(all_layers());
  StockClient client(stockd.address());
  ASSERT_TRUE(client.create_location("main", "Main").ok());
  ASSERT_TRUE(client.adjust("near", "main", 42).ok());
  ASSERT_TRUE(eventually(
      [&] { return client.get("near", "main", at_most(2s)).response.level().counts().on_hand(); },
      Eq(42)));

  // Memory holds what the feed keeps current.
  ASSERT_TRUE(
      eventually([&] { return metric(stockd, "stock_feed_watermark_timestamp_seconds"); }, Gt(0)));
  await_redis(stockd);
  const auto first = client.get("near2", "main", at_most(1h));
  EXPECT_FALSE(first.response.level().exists());
  EXPECT_THAT(trail_of(first.response.provenance()),
              StartsWith("memory miss, redis miss, replica"));
  const auto second = client.get("near2", "main", at_most(1h));
  EXPECT_EQ(trail_of(second.response.provenance()), "memory hit");
  EXPECT_EQ(second.response.level().provenance().layer(), v1::LAYER_MEMORY);
  // As true as it was when it was read; or longer, if the feed has heard of nothing since.
  const auto true_through = [](const auto& answer) {
    const auto& time = answer.response.level().provenance().true_through();
    return time.seconds() * 1'000'000'000 + time.nanos();
  };
  EXPECT_GE(true_through(second), true_through(first));
}

TEST_F(ServiceLayersTest, without_memory_redis_answers_what_another_process_read) {
  StockdProcess one(all_layers({"--layers", "redis,replica,primary"}));
  StockdProcess two(all_layers({"--layers", "redis,replica,primary"}));
  StockClient first(one.address());
  StockClient second(two.address());
  first.create_location("main", "Main");
  ASSERT_TRUE(first.adjust("shared", "main", 7).ok());
  ASSERT_TRUE(first.get("shared", "main", fully_consistent()).ok());
  EXPECT_TRUE(eventually(
      [&] { return trail_of(second.get("shared", "main", at_most(1h)).response.provenance()); },
      Eq("redis hit")));
}

TEST_F(ServiceLayersTest, a_fully_consistent_read_sees_the_write_before_it_past_every_copy) {
  StockdProcess stockd(all_layers());
  StockClient client(stockd.address());
  client.create_location("main", "Main");
  for (int i = 1; i <= 20; ++i) {
    ASSERT_TRUE(client.adjust("strict", "main", 1).ok());
    client.get("strict", "main");  // leaves copies
    const auto read = client.get("strict", "main", fully_consistent());
    ASSERT_EQ(read.response.level().counts().on_hand(), i);
    ASSERT_EQ(read.response.level().version(), i);
    ASSERT_EQ(trail_of(read.response.provenance()),
              "memory bypassed, redis bypassed, replica bypassed, primary hit");
  }
}

TEST_F(ServiceLayersTest, poisoned_values_are_named_counted_and_never_served) {
  StockdProcess stockd(all_layers({"--layers", "redis,replica,primary"}));
  StockClient client(stockd.address());
  client.create_location("main", "Main");
  ASSERT_TRUE(client.adjust("poison", "main", 120).ok());
  ASSERT_TRUE(client.adjust("other", "main", 9).ok());
  await_redis(stockd);
  client.get("other", "main", fully_consistent());
  client.get("poison", "main", fully_consistent());
  ASSERT_TRUE(
      eventually([&] { return key_in_redis(redis(), "poison") + key_in_redis(redis(), "other"); },
                 AllOf(HasSubstr("poison"), HasSubstr("other"))));
  const std::string key = key_in_redis(redis(), "poison");
  const std::string other = key_in_redis(redis(), "other");

  const std::vector<std::vector<std::string>> poisons = {
      {"SET", key, "0"},  // somebody's idea of a stock count
      {"SET", key, ""},
      {"SETRANGE", key, "0", "XXXX"},       // not our header
      {"COPY", other, key, "REPLACE"},      // under the wrong key
      {"APPEND", key, "x"},                 // too long
      {"SETRANGE", key, "40", "zzzzzzzz"},  // a changed count
  };
  int corrupt = 0;
  for (const auto& poison : poisons) {
    // A good copy first, then the poison.
    redis().command({"DEL", key});
    ASSERT_TRUE(eventually(
        [&] { return trail_of(client.get("poison", "main", at_most(1h)).response.provenance()); },
        Eq("redis hit")));
    redis().command(poison);
    const auto read = client.get("poison", "main", at_most(1h));
    ASSERT_TRUE(read.ok()) << read.message;
    EXPECT_EQ(read.response.level().counts().on_hand(), 120) << poison[0];
    EXPECT_THAT(trail_of(read.response.provenance()), StartsWith("redis corrupt, ")) << poison[0];
    EXPECT_FALSE(read.response.provenance().trail(0).detail().empty());
    ++corrupt;
  }
  EXPECT_EQ(metric(stockd, R"(stock_layer_reads_total{layer="redis",outcome="corrupt"})"), corrupt);
}

TEST_F(ServiceLayersTest, a_list_under_the_key_is_a_miss) {
  StockdProcess stockd(all_layers({"--layers", "redis,primary"}));
  StockClient client(stockd.address());
  client.create_location("main", "Main");
  await_redis(stockd);
  client.get("listed", "main", fully_consistent());
  ASSERT_TRUE(eventually([&] { return key_in_redis(redis(), "listed"); }, HasSubstr("listed")));
  const std::string key = key_in_redis(redis(), "listed");
  redis().command({"DEL", key});
  redis().command({"RPUSH", key, "1"});
  EXPECT_EQ(trail_of(client.get("listed", "main", at_most(1h)).response.provenance()),
            "redis miss, primary hit");
}

TEST_F(ServiceLayersTest, redis_flushed_killed_paused_and_back) {
  // The first to find out that it does not answer is a reader.
  StockdProcess stockd(all_layers({"--layers", "redis,replica,primary", "--breaker-open", "100ms",
                                   "--redis-timeout", "1s", "--audit-budget", "0%"}));
  StockClient client(stockd.address());
  client.create_location("main", "Main");
  ASSERT_TRUE(client.adjust("steady", "main", 5).ok());
  client.get("steady", "main", fully_consistent());
  const auto trail = [&] {
    const auto read = client.get("steady", "main", at_most(1h));
    EXPECT_TRUE(read.ok()) << read.message;
    EXPECT_EQ(read.response.level().counts().on_hand(), 5);
    return trail_of(read.response.provenance());
  };
  ASSERT_TRUE(eventually(trail, Eq("redis hit")));

  redis().command({"FLUSHALL"});
  EXPECT_TRUE(eventually(trail, Eq("redis hit")));  // filled again

  redis().sigstop();
  EXPECT_THAT(trail(), StartsWith("redis timeout, replica"));
  EXPECT_TRUE(eventually(trail, StartsWith("redis breaker_open, ")));
  EXPECT_TRUE(client.serving());
  redis().sigcont();
  EXPECT_TRUE(eventually(trail, Eq("redis hit")));

  redis().kill9();
  EXPECT_TRUE(eventually(
      trail, AnyOf(StartsWith("redis error, replica"), StartsWith("redis breaker_open, replica"))));
  EXPECT_TRUE(eventually([&] { return stockd.get("/readyz").body; }, HasSubstr("FAIL redis")));
  EXPECT_EQ(stockd.get("/readyz").status, 200);  // the service works without it
  EXPECT_TRUE(
      eventually([&] { return metric(stockd, R"(stock_layer_up{layer="redis"})"); }, Eq(0)));
  redis().start();
  EXPECT_TRUE(eventually(trail, Eq("redis hit")));
}

// The feed knows better than its date.
TEST_F(ServiceLayersTest, of_a_paused_replica_only_what_moved_is_read_past) {
  StockdProcess stockd(all_layers({"--layers", "replica,primary"}));
  StockClient client(stockd.address());
  client.create_location("main", "Main");
  ASSERT_TRUE(client.adjust("moves", "main", 3).ok());
  ASSERT_TRUE(client.adjust("stays", "main", 3).ok());
  const auto trail = [&](const char* sku, auto bound) {
    return trail_of(client.get(sku, "main", at_most(bound)).response.provenance());
  };
  ASSERT_TRUE(eventually([&] { return trail("moves", 5s) + trail("stays", 5s); },
                         Eq("replica hitreplica hit")));
  const auto known = [&] {
    return client.get("moves", "main", at_most(1h)).response.level().version() == 1 &&
           client.get("stays", "main", at_most(1h)).response.level().version() == 1;
  };
  ASSERT_TRUE(eventually(known));

  replica().connect().exec("SELECT pg_wal_replay_pause()");
  ASSERT_TRUE(client.adjust("moves", "main", 1).ok());
  EXPECT_TRUE(
      eventually([&] { return trail("moves", 1h); }, Eq("replica superseded, primary hit")));
  EXPECT_EQ(client.get("moves", "main", at_most(1h)).response.level().version(), 2);
  // True through an instant of which the replica itself has not heard.
  const auto true_through_us = [&] {
    const auto read = client.get("stays", "main", at_most(1h));
    EXPECT_EQ(trail_of(read.response.provenance()), "replica hit");
    const auto& time = read.response.level().provenance().true_through();
    return time.seconds() * 1'000'000 + time.nanos() / 1000;
  };
  const std::int64_t known_there = replica().connect().number(
      "SELECT (extract(epoch FROM max(stamp)) * 1000000)::bigint FROM stock.heartbeat");
  EXPECT_TRUE(eventually([&] { return true_through_us() > known_there + 300'000; }));
  replica().connect().exec("SELECT pg_wal_replay_resume()");
}

TEST_F(ServiceLayersTest, a_paused_replica_grows_old_in_plain_sight_and_is_read_past) {
  StockdProcess stockd(all_layers({"--layers", "replica,primary", "--feed", "off"}));
  StockClient client(stockd.address());
  client.create_location("main", "Main");
  ASSERT_TRUE(client.adjust("lag", "main", 3).ok());
  const auto read = [&](std::chrono::milliseconds bound) {
    return client.get("lag", "main", at_most(bound));
  };
  ASSERT_TRUE(
      eventually([&] { return trail_of(read(5s).response.provenance()); }, Eq("replica hit")));
  ASSERT_TRUE(eventually([&] { return read(5s).response.level().version(); }, Eq(1)));

  replica().connect().exec("SELECT pg_wal_replay_pause()");
  ASSERT_TRUE(client.adjust("lag", "main", 1).ok());
  // It still answers, with what it has and its true date; whoever wants it fresher gets the
  // primary.
  support::Called<v1::GetStockLevelResponse> fresh;
  EXPECT_TRUE(eventually(
      [&] {
        fresh = read(300ms);
        return trail_of(fresh.response.provenance());
      },
      Eq("replica too_old, primary hit")));
  EXPECT_EQ(fresh.response.level().version(), 2);
  const auto old = client.get("lag", "main", at_most(1h));
  EXPECT_EQ(trail_of(old.response.provenance()), "replica hit");
  EXPECT_EQ(old.response.level().version(), 1);
  EXPECT_GE(old.response.level().provenance().age().seconds() * 1000 +
                old.response.level().provenance().age().nanos() / 1'000'000,
            200);

  replica().connect().exec("SELECT pg_wal_replay_resume()");
  EXPECT_TRUE(
      eventually([&] { return trail_of(read(1s).response.provenance()); }, Eq("replica hit")));
  EXPECT_TRUE(eventually([&] { return read(1s).response.level().version(); }, Eq(2)));
}

TEST_F(ServiceLayersTest, each_layer_can_be_left_out) {
  for (const std::string layers :
       {"primary", "memory,primary", "replica,primary", "redis,primary"}) {
    StockdProcess stockd(all_layers({"--layers", layers}));
    StockClient client(stockd.address());
    client.create_location("main", "Main");
    ASSERT_TRUE(client
                    .set([] {
                      v1::SetStockRequest request;
                      request.mutable_key()->set_sku("few");
                      request.mutable_key()->set_location("main");
                      request.set_on_hand(11);
                      return request;
                    }())
                    .ok());
    const auto read = client.get("few", "main", fully_consistent());
    EXPECT_EQ(read.response.level().counts().on_hand(), 11) << layers;
    EXPECT_EQ(static_cast<std::size_t>(read.response.provenance().trail_size()),
              1 + static_cast<std::size_t>(std::ranges::count(layers, ',')))
        << layers;
  }
}

// A lock on the table holds the first read; whoever asks meanwhile waits, and goes together.
TEST_F(ServiceLayersTest, concurrent_readers_of_one_key_make_one_database_read) {
  StockdProcess stockd(primary_only({"--primary-connections", "1", "--primary-timeout", "30s"}));
  StockClient client(stockd.address());
  client.create_location("main", "Main");
  ASSERT_TRUE(client.adjust("hot", "main", 1).ok());
  const std::string hits = R"(stock_layer_reads_total{layer="primary",outcome="hit"})";
  const std::string joined = R"(stock_layer_reads_total{layer="primary",outcome="coalesced"})";
  const double hits_before = metric(stockd, hits);

  support::Sql sql = primary().connect();
  sql.exec("BEGIN; LOCK TABLE stock.level IN ACCESS EXCLUSIVE MODE");
  constexpr int kReaders = 50;
  std::atomic<int> right{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < kReaders; ++i) {
    readers.emplace_back([&] {
      const auto read = client.get("hot", "main", fully_consistent());
      if (read.response.level().counts().on_hand() == 1) ++right;
    });
  }
  // One is under way, and everybody else waits for the same key.
  EXPECT_TRUE(eventually(
      [&] {
        return metric(
            stockd,
            R"(grpc_server_started_total{grpc_method="GetStockLevel",grpc_service="stock.v1.StockService",grpc_type="unary"})");
      },
      Ge(kReaders)));
  EXPECT_EQ(metric(stockd, R"(stock_layer_waiting_keys{layer="primary"})"), 1);
  sql.exec("COMMIT");
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(right, kReaders);
  EXPECT_EQ(metric(stockd, hits) - hits_before, 2);
  EXPECT_EQ(metric(stockd, joined), kReaders - 2);
}

// Nobody has read it, and the next reader finds it all the same.
TEST_F(ServiceLayersTest, what_is_written_is_in_redis_at_once) {
  StockdProcess writer(all_layers());
  StockdProcess reader(all_layers({"--layers=redis,primary"}));
  StockClient client(writer.address());
  client.create_location("main", "Main");
  ASSERT_TRUE(
      eventually([&] { return metric(writer, "stock_feed_watermark_timestamp_seconds"); }, Gt(0)));
  await_redis(writer);
  await_redis(reader);
  const auto written = client.adjust("fresh", "main", 7);
  ASSERT_TRUE(written.ok()) << written.message;
  EXPECT_TRUE(eventually(
      [&] { return metric(writer, R"(stock_layer_offers_total{layer="redis",outcome="stored"})"); },
      Ge(1)));
  const auto read = StockClient(reader.address()).get("fresh", "main", at_most(10s));
  ASSERT_TRUE(read.ok()) << read.message;
  EXPECT_EQ(read.response.level().counts().on_hand(), 7);
  EXPECT_EQ(trail_of(read.response.provenance()), "redis hit");
}

}  // namespace
}  // namespace stock
