#include "stock/redis/redis_layer.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "stock/redis/codec.h"
#include "support/eventually.h"
#include "support/redis_server.h"
#include "support/tcp_gate.h"

namespace stock::redis {
namespace {

using domain::DatabaseTime;
using domain::Key;
using domain::Outcome;
using domain::Reading;
using layers::Answer;
using std::chrono::milliseconds;
using support::eventually;
using support::RedisServer;
using testing::AllOf;
using testing::Each;
using testing::Field;
using testing::HasSubstr;
using testing::StartsWith;

constexpr domain::Incarnation kIncarnation = 0xabc;
// Where no timeout is the subject, so that a busy machine does not make it one.
constexpr milliseconds kPatient(60'000);

Key key_of(int n) { return {.sku = fmt::format("SKU-{}", n), .location = "berlin"}; }

Reading reading_of(domain::Version version) {
  Reading reading;
  reading.exists = true;
  reading.version = version;
  reading.counts.on_hand = version * 10;
  reading.true_through = DatabaseTime(std::chrono::seconds(1'700'000'000));
  reading.incarnation = kIncarnation;
  reading.heartbeat = 7;
  return reading;
}

// A read that somebody waits for.
class Read {
 public:
  Read(layers::Layer& layer, std::vector<Key> keys)
      : keys_(std::move(keys)), answers_(keys_.size()), detail_(done_.get_future()) {
    layer.read(keys_, answers_, {},
               [this](std::string detail) { done_.set_value(std::move(detail)); });
  }
  ~Read() { detail_.wait(); }
  Read(const Read&) = delete;
  Read& operator=(const Read&) = delete;

  bool is_done() const { return detail_.wait_for(milliseconds(0)) == std::future_status::ready; }
  const std::string& detail() const { return detail_.get(); }
  const std::vector<Answer>& answers() const {
    detail_.wait();
    return answers_;
  }
  Outcome outcome() const { return answers()[0].outcome; }
  domain::Version version() const { return answers()[0].reading.version; }

 private:
  std::vector<Key> keys_;
  std::vector<Answer> answers_;
  std::promise<std::string> done_;  // throws when it is told twice
  std::shared_future<std::string> detail_;
};

auto all_are(Outcome outcome) { return Each(Field(&Answer::outcome, outcome)); }

// What on_connection was told, in order: "up", or why not.
class Journal {
 public:
  auto writer() {
    return [this](bool connected, const std::string& why) {
      const std::lock_guard lock(mutex_);
      entries_.push_back(connected ? "up" : why);
    };
  }
  std::vector<std::string> entries() const {
    const std::lock_guard lock(mutex_);
    return entries_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> entries_;
};

class RedisLayerTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { signal(SIGPIPE, SIG_IGN); }

  RedisLayerTest() { ledger_.primary_says(kIncarnation); }

  std::unique_ptr<RedisLayer> make(RedisOptions options) {
    options.port = server_.port();
    options.on_connection = journal_.writer();
    return std::make_unique<RedisLayer>(std::move(options), ledger_);
  }
  std::unique_ptr<RedisLayer> connected(RedisOptions options) {
    auto layer = make(std::move(options));
    EXPECT_TRUE(eventually([&] { return layer->stats().connected; }));
    return layer;
  }
  std::unique_ptr<RedisLayer> connected() { return connected({.timeout = kPatient}); }

  // Waits until Redis has it.
  static void store(RedisLayer& layer, const std::vector<Key>& keys,
                    const std::vector<Reading>& readings) {
    const std::uint64_t before = layer.stats().offers_stored;
    layer.offer(keys, readings);
    ASSERT_TRUE(eventually([&] { return layer.stats().offers_stored; }, before + keys.size()));
  }
  static void store(RedisLayer& layer, const Key& key, domain::Version version) {
    store(layer, std::vector{key}, std::vector{reading_of(version)});
  }

  static std::string name_of(const Key& key) { return encode_key(kIncarnation, key); }

  feed::LedgerIdentity ledger_;
  RedisServer server_;
  Journal journal_;
};

TEST_F(RedisLayerTest, answers_what_was_offered_and_misses_the_rest) {
  auto layer = connected();
  store(*layer, {key_of(1), key_of(3)}, {reading_of(5), reading_of(7)});
  const Read read(*layer, {key_of(1), key_of(2), key_of(3)});
  EXPECT_EQ(read.detail(), "");
  EXPECT_EQ(read.answers()[0].outcome, Outcome::kHit);
  EXPECT_EQ(read.answers()[0].reading.version, 5);
  EXPECT_EQ(read.answers()[0].reading.counts.on_hand, 50);
  EXPECT_EQ(read.answers()[0].reading.heartbeat, 7);
  EXPECT_EQ(read.answers()[1].outcome, Outcome::kMiss);
  EXPECT_EQ(read.answers()[2].reading.version, 7);
  EXPECT_EQ(layer->name(), "redis");
}

TEST_F(RedisLayerTest, a_copy_lives_for_its_time) {
  auto layer = connected({.ttl = std::chrono::minutes(10), .timeout = kPatient});
  store(*layer, key_of(1), 1);
  const int ttl_ms = std::stoi(server_.command({"PTTL", name_of(key_of(1))}));
  EXPECT_GT(ttl_ms, 500'000);
  EXPECT_LE(ttl_ms, 600'000);
}

TEST_F(RedisLayerTest, reads_a_thousand_keys_at_once) {
  auto layer = connected();
  std::vector<Key> keys;
  std::vector<Reading> readings;
  for (int n = 1; n <= 1000; ++n) {
    keys.push_back(key_of(n));
    readings.push_back(reading_of(n));
  }
  store(*layer, keys, readings);
  const Read read(*layer, keys);
  for (int n = 1; n <= 1000; ++n) {
    ASSERT_EQ(read.answers()[n - 1].outcome, Outcome::kHit);
    ASSERT_EQ(read.answers()[n - 1].reading.version, n);
  }
}

TEST_F(RedisLayerTest, a_read_of_nothing_is_answered) {
  auto layer = connected();
  EXPECT_EQ(Read(*layer, {}).detail(), "");
}

TEST_F(RedisLayerTest, names_with_any_bytes_are_keys_of_their_own) {
  auto layer = connected();
  const std::vector<Key> keys = {{.sku = "a b\r\n$1", .location = "ü:*"},
                                 {.sku = std::string("nul\0nul", 7), .location = "l"},
                                 {.sku = "c", .location = "a:b"},
                                 {.sku = "b:c", .location = "a"}};
  store(*layer, keys, {reading_of(1), reading_of(2), reading_of(3), reading_of(4)});
  const Read read(*layer, keys);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(read.answers()[i].reading.version, i + 1);
}

TEST_F(RedisLayerTest, what_is_no_copy_of_ours_is_corrupt_and_never_served) {
  auto layer = connected();
  store(*layer, {key_of(1), key_of(2), key_of(3)}, {reading_of(1), reading_of(2), reading_of(3)});

  server_.command({"SET", name_of(key_of(4)), "120 units  :)"});
  EXPECT_EQ(Read(*layer, {key_of(4)}).detail(),
            "redis: 1 value malformed: 13 bytes without our header");

  server_.command({"EVAL", "redis.call('SET',KEYS[1],redis.call('GET',KEYS[1]):sub(1,50))", "1",
                   name_of(key_of(1))});
  EXPECT_EQ(Read(*layer, {key_of(1)}).detail(),
            "redis: 1 value malformed: 50 bytes instead of 101");

  server_.command({"SETRANGE", name_of(key_of(2)), "45", "X"});
  server_.command({"COPY", name_of(key_of(3)), name_of(key_of(5))});
  const Read read(*layer, {key_of(1), key_of(2), key_of(3), key_of(4), key_of(5), key_of(6)});
  EXPECT_EQ(read.answers()[1].outcome, Outcome::kCorrupt);  // changed
  EXPECT_EQ(read.answers()[2].outcome, Outcome::kHit);
  EXPECT_EQ(read.answers()[4].outcome, Outcome::kCorrupt);  // another key's
  EXPECT_EQ(read.answers()[5].outcome, Outcome::kMiss);
  EXPECT_THAT(read.detail(), StartsWith("redis: 4 values malformed, the first: "));
  EXPECT_EQ(layer->stats().corrupt_values, 6U);
}

TEST_F(RedisLayerTest, a_value_of_another_type_is_a_miss_and_is_replaced) {
  auto layer = connected();
  server_.command({"RPUSH", name_of(key_of(1)), "a", "b"});
  EXPECT_EQ(Read(*layer, {key_of(1)}).outcome(), Outcome::kMiss);
  store(*layer, key_of(1), 3);
  EXPECT_EQ(Read(*layer, {key_of(1)}).version(), 3);
}

TEST_F(RedisLayerTest, copies_of_another_incarnation_are_not_found_and_not_stored) {
  auto layer = connected();
  store(*layer, key_of(1), 1);
  ledger_.primary_says(kIncarnation + 1);
  EXPECT_EQ(Read(*layer, {key_of(1)}).outcome(), Outcome::kMiss);

  layer->offer(std::vector{key_of(2)}, std::vector{reading_of(2)});
  EXPECT_EQ(layer->stats().offers_dropped, 1U);

  // Somebody renamed it: the value says itself which history it is of.
  server_.command({"RENAME", name_of(key_of(1)), encode_key(kIncarnation + 1, key_of(1))});
  const Read read(*layer, {key_of(1)});
  EXPECT_EQ(read.outcome(), Outcome::kCorrupt);
  EXPECT_THAT(read.detail(), HasSubstr("incarnation"));
}

TEST_F(RedisLayerTest, nothing_is_read_or_stored_before_the_incarnation_is_known) {
  const feed::LedgerIdentity unknown;
  RedisLayer layer({.port = server_.port(), .timeout = kPatient}, unknown);
  ASSERT_TRUE(eventually([&] { return layer.stats().connected; }));
  layer.offer(std::vector{key_of(1)}, std::vector{reading_of(1)});
  EXPECT_EQ(layer.stats().offers_dropped, 1U);
  const Read read(layer, {key_of(1), key_of(2)});
  EXPECT_THAT(read.answers(), all_are(Outcome::kError));
  EXPECT_EQ(read.detail(), "redis: the ledger's incarnation is not known yet");
}

TEST_F(RedisLayerTest, without_redis_reads_fail_at_once_and_say_why) {
  server_.stop();
  auto layer = make({.timeout = kPatient});
  ASSERT_TRUE(eventually([&] { return journal_.entries(); }, testing::SizeIs(1)));
  const Read read(*layer, {key_of(1), key_of(2)});
  EXPECT_TRUE(read.is_done());
  EXPECT_THAT(read.answers(), all_are(Outcome::kError));
  EXPECT_EQ(read.detail(), "redis: not connected: connection refused");
  layer->offer(std::vector{key_of(1)}, std::vector{reading_of(1)});
  EXPECT_EQ(layer->stats().offers_dropped, 1U);
  EXPECT_EQ(layer->stats().pending_offers, 0U);
  EXPECT_EQ(layer->stats().pending_reads, 0U);

  server_.start();
  EXPECT_TRUE(eventually([&] { return layer->stats().connected; }));
  EXPECT_EQ(Read(*layer, {key_of(1)}).outcome(), Outcome::kMiss);
  EXPECT_THAT(journal_.entries(), testing::ElementsAre("connection refused", "up"));
}

TEST_F(RedisLayerTest, reads_and_offers_under_way_when_redis_dies_are_settled) {
  auto layer = connected();
  server_.sigstop();
  const Read first(*layer, {key_of(1), key_of(2)});
  const Read second(*layer, {key_of(1)});
  layer->offer(std::vector{key_of(1)}, std::vector{reading_of(1)});
  EXPECT_EQ(layer->stats().pending_reads, 2U);
  EXPECT_EQ(layer->stats().pending_offers, 1U);
  EXPECT_FALSE(first.is_done());
  server_.kill9();
  EXPECT_THAT(first.answers(), all_are(Outcome::kError));
  EXPECT_THAT(second.answers(), all_are(Outcome::kError));
  EXPECT_THAT(first.detail(), StartsWith("redis: "));
  EXPECT_TRUE(eventually([&] { return layer->stats().offers_failed; }, 1U));
  EXPECT_EQ(layer->stats().pending_reads, 0U);
  EXPECT_EQ(layer->stats().pending_offers, 0U);
  EXPECT_FALSE(layer->stats().connected);

  server_.start();
  EXPECT_TRUE(eventually([&] { return layer->stats().connected; }));
  EXPECT_EQ(Read(*layer, {key_of(1)}).outcome(), Outcome::kMiss);
}

TEST_F(RedisLayerTest, a_late_reply_never_answers_a_later_read) {
  store(*connected(), {key_of(1), key_of(2)}, {reading_of(1), reading_of(2)});
  auto layer = connected({.timeout = milliseconds(100)});
  server_.sigstop();
  const Read silent(*layer, {key_of(1)});
  EXPECT_EQ(silent.outcome(), Outcome::kTimeout);
  EXPECT_EQ(silent.detail(), "redis: no answer within 100 ms");
  const Read refused(*layer, {key_of(2)});
  EXPECT_EQ(refused.outcome(), Outcome::kError);
  EXPECT_THAT(refused.detail(), StartsWith("redis: not connected: "));

  server_.sigcont();
  // A machine that is busy may time out once more; what it must never do is answer wrongly.
  EXPECT_TRUE(eventually([&] {
    const Read read(*layer, {key_of(2)});
    EXPECT_NE(read.outcome(), Outcome::kMiss);
    if (read.outcome() == Outcome::kHit) {
      EXPECT_EQ(read.version(), 2);
    }
    return read.outcome() == Outcome::kHit;
  }));
}

TEST_F(RedisLayerTest, all_reads_under_way_share_the_fate_of_the_oldest) {
  auto layer = connected({.timeout = milliseconds(2000)});
  server_.sigstop();
  std::vector<std::unique_ptr<Read>> reads;
  for (int n = 0; n < 50; ++n)
    reads.push_back(std::make_unique<Read>(*layer, std::vector{key_of(n)}));
  for (const auto& read : reads) EXPECT_THAT(read->answers(), all_are(Outcome::kTimeout));
  server_.sigcont();
  EXPECT_TRUE(eventually([&] { return layer->stats().connected; }));
}

TEST_F(RedisLayerTest, a_reset_is_noticed_at_once) {
  support::TcpGate gate(server_.port());
  RedisLayer layer({.port = gate.port(), .timeout = kPatient}, ledger_);
  ASSERT_TRUE(eventually([&] { return layer.stats().connected; }));
  gate.stall();
  const Read read(layer, {key_of(1)});
  gate.reset_connections();
  EXPECT_EQ(read.outcome(), Outcome::kError);
  EXPECT_EQ(read.detail(), "redis: connection reset by peer");
  gate.open();
  EXPECT_TRUE(eventually([&] { return layer.stats().connected; }));
}

TEST_F(RedisLayerTest, a_connection_lost_while_idle_is_noticed_and_made_again) {
  auto layer = connected();
  server_.command({"CLIENT", "KILL", "TYPE", "normal"});
  EXPECT_TRUE(eventually([&] { return journal_.entries(); },
                         testing::ElementsAre("up", "server closed the connection", "up")));
}

TEST_F(RedisLayerTest, a_server_that_accepts_and_is_silent_is_not_connected_to) {
  server_.sigstop();
  auto layer = make({.timeout = milliseconds(50), .connect_timeout = milliseconds(100)});
  EXPECT_TRUE(eventually([&] { return journal_.entries(); },
                         testing::ElementsAre("no answer within 100 ms")));
  EXPECT_FALSE(layer->stats().connected);
  server_.sigcont();
  EXPECT_TRUE(eventually([&] { return layer->stats().connected; }));
}

TEST_F(RedisLayerTest, reconnects_after_each_restart) {
  auto layer = connected();
  for (domain::Version version = 1; version <= 3; ++version) {
    server_.restart();
    ASSERT_TRUE(eventually([&] {
      if (!layer->stats().connected) return false;
      layer->offer(std::vector{key_of(1)}, std::vector{reading_of(version)});
      return Read(*layer, {key_of(1)}).version() == version;
    }));
  }
}

TEST_F(RedisLayerTest, authenticates_on_every_connection) {
  server_.command({"CONFIG", "SET", "requirepass", "s3cret"});
  auto layer = connected({.password = "s3cret", .db = 3, .timeout = kPatient});
  store(*layer, key_of(1), 1);
  const auto admin = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"--no-auth-warning", "-a", "s3cret", "-n", "3"});
    return server_.command(words);
  };
  EXPECT_EQ(admin({"DBSIZE"}), "1");

  EXPECT_EQ(admin({"CLIENT", "KILL", "TYPE", "normal"}), "1");
  ASSERT_TRUE(eventually([&] { return journal_.entries(); }, testing::SizeIs(3)));
  EXPECT_EQ(journal_.entries().back(), "up");
  EXPECT_EQ(Read(*layer, {key_of(1)}).version(), 1);
}

TEST_F(RedisLayerTest, authenticates_as_a_user_who_may_do_no_more_than_needed) {
  server_.command(
      {"ACL", "SETUSER", "stock", "on", ">s3cret", "~stock:*", "+mget", "+set", "+ping"});
  auto layer = connected({.user = "stock", .password = "s3cret", .timeout = kPatient});
  store(*layer, key_of(1), 1);
  EXPECT_EQ(Read(*layer, {key_of(1)}).version(), 1);
}

TEST_F(RedisLayerTest, a_wrong_password_is_reported_and_not_shown) {
  server_.command({"CONFIG", "SET", "requirepass", "s3cret"});
  auto layer = make({.password = "guess", .timeout = kPatient});
  ASSERT_TRUE(eventually([&] { return journal_.entries(); }, testing::SizeIs(1)));
  EXPECT_THAT(journal_.entries()[0],
              AllOf(StartsWith("AUTH refused: WRONGPASS"), Not(HasSubstr("guess"))));
  const Read read(*layer, {key_of(1)});
  EXPECT_EQ(read.outcome(), Outcome::kError);
  EXPECT_THAT(read.detail(), StartsWith("redis: not connected: AUTH refused"));

  server_.command({"--no-auth-warning", "-a", "s3cret", "CONFIG", "SET", "requirepass", "guess"});
  EXPECT_TRUE(eventually([&] { return layer->stats().connected; }));
}

TEST_F(RedisLayerTest, a_missing_password_is_noticed_before_the_first_read) {
  server_.command({"CONFIG", "SET", "requirepass", "s3cret"});
  auto layer = make({.timeout = kPatient});
  ASSERT_TRUE(eventually([&] { return journal_.entries(); }, testing::SizeIs(1)));
  EXPECT_THAT(journal_.entries()[0], StartsWith("PING refused: NOAUTH"));
}

TEST_F(RedisLayerTest, an_error_to_a_read_is_passed_on_and_the_connection_kept) {
  server_.command({"ACL", "SETUSER", "stock", "on", ">s3cret", "~stock:*", "+set", "+ping"});
  auto layer = connected({.user = "stock", .password = "s3cret", .timeout = kPatient});
  const Read read(*layer, {key_of(1)});
  EXPECT_EQ(read.outcome(), Outcome::kError);
  EXPECT_THAT(read.detail(), StartsWith("redis: NOPERM"));
  EXPECT_TRUE(layer->stats().connected);
}

TEST_F(RedisLayerTest, a_full_redis_refuses_offers_and_goes_on_answering) {
  auto layer = connected();
  store(*layer, key_of(0), 1);
  server_.command({"CONFIG", "SET", "maxmemory-policy", "noeviction"});
  server_.command({"CONFIG", "SET", "maxmemory", "1mb"});
  std::vector<Key> keys;
  std::vector<Reading> readings;
  for (int n = 1; n <= 5000; ++n) {
    keys.push_back(key_of(n));
    readings.push_back(reading_of(n));
  }
  layer->offer(keys, readings);
  EXPECT_TRUE(eventually([&] { return layer->stats().pending_offers; }, 0U));
  const RedisStats stats = layer->stats();
  EXPECT_GT(stats.offers_failed, 0U);
  EXPECT_EQ(stats.offers_stored + stats.offers_failed, 5001U);
  EXPECT_TRUE(stats.connected);
  EXPECT_EQ(Read(*layer, {key_of(0)}).version(), 1);
}

TEST_F(RedisLayerTest, offers_beyond_the_limit_are_dropped) {
  auto layer = connected({.timeout = kPatient, .max_pending_offers = 3});
  server_.sigstop();
  const std::vector<Key> two = {key_of(1), key_of(2)};
  layer->offer(two, std::vector{reading_of(1), reading_of(2)});
  layer->offer(two, std::vector{reading_of(3), reading_of(4)});
  EXPECT_EQ(layer->stats().pending_offers, 2U);
  EXPECT_EQ(layer->stats().offers_dropped, 2U);
  server_.sigcont();
  EXPECT_TRUE(eventually([&] { return layer->stats().pending_offers; }, 0U));
  EXPECT_EQ(Read(*layer, {key_of(1)}).version(), 1);
}

TEST_F(RedisLayerTest, its_end_settles_what_is_under_way) {
  auto layer = connected();
  server_.sigstop();
  std::vector<std::unique_ptr<Read>> reads;
  for (int n = 0; n < 20; ++n) {
    reads.push_back(std::make_unique<Read>(*layer, std::vector{key_of(n)}));
    layer->offer(std::vector{key_of(n)}, std::vector{reading_of(1)});
  }
  layer.reset();
  for (const auto& read : reads) {
    EXPECT_TRUE(read->is_done());
    EXPECT_EQ(read->outcome(), Outcome::kError);
    EXPECT_EQ(read->detail(), "redis: shutting down");
  }
  EXPECT_THAT(journal_.entries(), testing::ElementsAre("up"));
  server_.sigcont();
}

TEST_F(RedisLayerTest, ends_at_once_whether_or_not_it_ever_connected) {
  { auto connecting = make({}); }
  server_.sigstop();
  { auto waiting = make({}); }
  server_.sigcont();
  server_.stop();
  auto refused = make({});
  EXPECT_TRUE(eventually([&] { return !journal_.entries().empty(); }));
}

TEST_F(RedisLayerTest, hundreds_of_threads_get_their_own_answers) {
  constexpr int kThreads = 200;
  auto layer = connected();
  std::vector<Key> keys;
  std::vector<Reading> readings;
  for (int n = 1; n <= kThreads; ++n) {
    keys.push_back(key_of(n));
    readings.push_back(reading_of(n));
  }
  store(*layer, keys, readings);
  std::vector<std::thread> threads;
  for (int t = 1; t <= kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int round = 0; round < 20; ++round) {
        const Read read(*layer, {key_of(t), key_of(-t)});
        ASSERT_EQ(read.version(), t);
        ASSERT_EQ(read.answers()[1].outcome, Outcome::kMiss);
        layer->offer(std::vector{key_of(t)}, std::vector{reading_of(t)});
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// Reads, offers and losses of the connection at the same time: each read is answered, once, and
// never with another key's copy.
TEST_F(RedisLayerTest, every_read_is_answered_while_connections_come_and_go) {
  auto layer = connected();
  std::atomic<bool> over{false};
  std::atomic<int> hits{0};
  std::vector<std::thread> threads;
  for (int t = 1; t <= 8; ++t) {
    threads.emplace_back([&, t] {
      while (!over) {
        layer->offer(std::vector{key_of(t)}, std::vector{reading_of(t)});
        const Read read(*layer, {key_of(t)});
        if (read.outcome() != Outcome::kHit) continue;
        ASSERT_EQ(read.version(), t);
        ++hits;
      }
    });
  }
  for (int kill = 0; kill < 10; ++kill) {
    const int before = hits;
    EXPECT_TRUE(eventually([&] { return hits > before + 20; }));
    server_.command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  }
  over = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(layer->stats().corrupt_values, 0U);
  EXPECT_EQ(layer->stats().pending_reads, 0U);
}

}  // namespace
}  // namespace stock::redis
