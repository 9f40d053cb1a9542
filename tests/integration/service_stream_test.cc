// StreamStockMovements: the ledger as a stream that can be left and taken up again.
#include <map>
#include <random>
#include <set>
#include <thread>

#include "service_world.h"
#include "support/stock_stream.h"

namespace stock {
namespace {

using support::MovementStream;
using Request = v1::StreamStockMovementsRequest;
using Response = v1::StreamStockMovementsResponse;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

Request from_beginning(const std::string& location = "") {
  Request request;
  request.set_from_beginning(true);
  request.set_location(location);
  return request;
}
Request from(const std::string& token, const std::string& location = "") {
  Request request;
  request.set_resume_token(token);
  request.set_location(location);
  return request;
}
Request from_now() { return {}; }

bool is_all(const Response& response) { return response.has_watermark(); }

// What a consumer has: each movement once, each key's in order of version.
class Consumer {
 public:
  void take(const Response& response) {
    if (response.reset()) ++resets;
    for (const v1::Movement& movement : response.movements()) {
      const auto key = std::pair(movement.key().sku(), movement.key().location());
      const bool fresh = seen.insert({key, movement.version()}).second;
      if (!fresh) ++repeated;
      if (fresh) {
        // In order, but for what a single transaction overwrote or another start left out.
        EXPECT_GT(movement.version(), last[key]) << key.first;
        last[key] = movement.version();
      }
      rows.push_back(key.first + "@" + key.second + " v" + std::to_string(movement.version()) +
                     " " + std::to_string(movement.delta().on_hand()) + " " +
                     std::to_string(movement.counts_after().on_hand()) + " " + movement.actor() +
                     " " + movement.reason());
    }
    token = response.resume_token();
  }
  std::vector<std::string> until(MovementStream& stream,
                                 const std::function<bool(const Response&)>& enough) {
    rows.clear();
    for (const Response& response : stream.read_until(enough)) take(response);
    return rows;
  }

  std::map<std::pair<std::string, std::string>, std::int64_t> last;
  std::set<std::pair<std::pair<std::string, std::string>, std::int64_t>> seen;
  std::vector<std::string> rows;
  std::string token;
  int resets = 0;
  int repeated = 0;
};

class ServiceStreamTest : public ServiceTest {
 protected:
  static void SetUpTestSuite() {
    ServiceTest::SetUpTestSuite();
    stockd_ = std::make_unique<StockdProcess>(primary_only());
    client_ = std::make_unique<StockClient>(stockd_->address());
    for (const char* location : {"main", "north"}) client_->create_location(location, "");
    for (int i = 1; i <= 20; ++i) client_->adjust("S" + std::to_string(i % 4), "main", i);
    primary().connect().exec(
        "INSERT INTO stock.level (sku, location, on_hand)"
        " SELECT 'B' || i, 'north', i FROM generate_series(1, 3500) i;"
        "UPDATE stock.level SET on_hand = on_hand + 1 WHERE location = 'north' AND on_hand < 50;"
        "DELETE FROM stock.level WHERE sku = 'B7'");
  }
  static void TearDownTestSuite() {
    client_.reset();
    stockd_.reset();
    ServiceTest::TearDownTestSuite();
  }
  static StockdProcess& stockd() { return *stockd_; }
  static StockClient& client() { return *client_; }
  static std::string address() { return stockd_->address(); }

  static std::vector<std::string> ledger(const std::string& where = "true") {
    std::vector<std::string> rows;
    for (const auto& row : primary().connect().query(
             "SELECT sku || '@' || location || ' v' || version || ' ' || on_hand_delta || ' ' ||"
             " on_hand || ' ' || actor || ' ' || reason FROM stock.movement WHERE " +
             where + " ORDER BY sku, location, version")) {
      rows.push_back(row[0]);
    }
    return rows;
  }

 private:
  static inline std::unique_ptr<StockdProcess> stockd_;
  static inline std::unique_ptr<StockClient> client_;
};

TEST_F(ServiceStreamTest, from_the_beginning_it_is_the_ledger) {
  MovementStream stream(address(), from_beginning());
  Consumer consumer;
  EXPECT_EQ(consumer.until(stream, is_all), ledger());
  EXPECT_GT(consumer.rows.size(), 3500u);
  client().adjust("S1", "main", 5);
  EXPECT_THAT(consumer.until(stream, [](const Response& r) { return !r.movements().empty(); }),
              ElementsAre(ledger("sku = 'S1'").back()));
  EXPECT_EQ(consumer.resets, 0);
}

TEST_F(ServiceStreamTest, of_one_location_it_is_that_part_of_the_ledger) {
  MovementStream stream(address(), from_beginning("north"));
  Consumer consumer;
  EXPECT_EQ(consumer.until(stream, is_all), ledger("location = 'north'"));
  client().adjust("S1", "main", 5);
  client().adjust("B9", "north", 5);
  EXPECT_THAT(consumer.until(stream, [](const Response& r) { return !r.movements().empty(); }),
              ElementsAre(ledger("sku = 'B9'").back()));
}

TEST_F(ServiceStreamTest, from_now_it_has_what_is_written_after_the_call) {
  MovementStream stream(address(), from_now());
  Consumer consumer;
  consumer.until(stream, is_all);
  client().adjust("now", "main", 1);
  EXPECT_TRUE(consumer.last[std::pair("now", "main")] == 0);
  consumer.until(stream, [](const Response& r) { return !r.movements().empty(); });
  EXPECT_EQ(consumer.last[std::pair("now", "main")], 1);
}

TEST_F(ServiceStreamTest, an_idle_stream_costs_the_database_nothing) {
  MovementStream stream(address(), from_now());
  Consumer consumer;
  consumer.until(stream, is_all);
  const auto reads = [] {
    return primary().connect().number(
        "SELECT coalesce(sum(calls), 0) FROM (SELECT count(*) AS calls FROM pg_stat_activity"
        " WHERE query LIKE '%delta%' AND pid <> pg_backend_pid() AND query_start > now() -"
        " interval '1 second') AS recent");
  };
  int heartbeats = 0;
  EXPECT_THAT(consumer.until(stream, [&](const Response&) { return ++heartbeats == 3; }),
              IsEmpty());
  EXPECT_EQ(reads(), 0);
}

// Whoever commits late does so once, and stalls nobody.
TEST_F(ServiceStreamTest, a_late_committer_appears_once) {
  auto slow = primary().connect();
  slow.exec("BEGIN; INSERT INTO stock.level (sku, location, on_hand) VALUES ('late', 'main', 1)");
  MovementStream stream(address(), from_now());
  Consumer consumer;
  consumer.until(stream, is_all);
  client().adjust("early", "main", 1);
  consumer.until(stream, [](const Response& r) { return !r.movements().empty(); });
  EXPECT_EQ(consumer.last[std::pair("early", "main")], 1);
  EXPECT_EQ(consumer.last[std::pair("late", "main")], 0);
  const std::string before = consumer.token;
  slow.exec("COMMIT");
  consumer.until(stream, [](const Response& r) { return !r.movements().empty(); });
  EXPECT_EQ(consumer.last[std::pair("late", "main")], 1);
  client().adjust("early", "main", 1);
  // Also from the token of before.
  MovementStream again(address(), from(before));
  Consumer later;
  while (later.last[std::pair("early", "main")] < 2) {
    later.until(again, [](const Response& r) { return !r.movements().empty(); });
  }
  EXPECT_EQ(later.seen.size(), 2u);
  EXPECT_EQ(later.repeated, 0);
}

// While four write, some of them slowly: left and taken up again after every few responses, on one
// server and on another.
TEST_F(ServiceStreamTest, however_often_it_is_left_each_movement_comes_once) {
  StockdProcess other(primary_only());
  std::atomic<int> writing{4};
  std::vector<std::thread> writers;
  for (unsigned seed = 1; seed <= 4; ++seed) {
    writers.emplace_back([&, seed] {
      std::minstd_rand random(seed);
      auto on = primary().connect();
      for (int i = 0; i < 300; ++i) {
        on.exec("BEGIN");
        // Locks in order of key, so that there is no deadlock.
        std::set<int> keys;
        for (unsigned n = 1 + random() % 4; n > 0; --n) keys.insert(static_cast<int>(random() % 8));
        for (const int key : keys) {
          on.exec("INSERT INTO stock.level (sku, location, on_hand) VALUES ('W" +
                  std::to_string(key) +
                  "', 'main', 1) ON CONFLICT (sku, location) DO UPDATE SET on_hand ="
                  " level.on_hand + 1");
        }
        on.exec(random() % 5 == 0 ? "ROLLBACK" : "COMMIT");
      }
      --writing;
    });
  }
  std::minstd_rand random(7);
  Consumer consumer;
  std::string token;
  const auto read_some = [&](const std::function<bool(const Response&)>& enough) {
    MovementStream stream(random() % 2 == 0 ? address() : other.address(),
                          token.empty() ? from_beginning() : from(token));
    consumer.until(stream, enough);
    token = consumer.token;
  };
  while (writing > 0) {
    int left = static_cast<int>(1 + random() % 3);
    read_some([&](const Response&) { return --left == 0; });
  }
  for (std::thread& writer : writers) writer.join();
  client().adjust("the last", "main", 1);
  read_some([&](const Response& response) {
    for (const auto& movement : response.movements()) {
      if (movement.key().sku() == "the last") return true;
    }
    return false;
  });
  EXPECT_EQ(consumer.repeated, 0);
  EXPECT_EQ(consumer.seen.size(), ledger().size());
  EXPECT_EQ(consumer.resets, 0);
}

TEST_F(ServiceStreamTest, after_a_crash_nothing_is_left_out) {
  MovementStream live(address(), from_beginning());
  Consumer stays;
  stays.until(live, is_all);
  Consumer returns = stays;
  primary().kill9();
  primary().start();
  const std::string once = "0f5b1c6e-8f0d-4f57-9d0f-6f1f3a2f9c11";
  EXPECT_TRUE(eventually([&] { return client().adjust("after the crash", "main", 1, once).ok(); }));
  const auto has_it = [](const Response& response) {
    for (const auto& movement : response.movements()) {
      if (movement.key().sku() == "after the crash") return true;
    }
    return false;
  };
  stays.until(live, has_it);
  EXPECT_EQ(stays.resets, 1);
  // The common past is known by the heartbeats: next to nothing comes twice.
  EXPECT_LT(stays.repeated, 100);
  MovementStream again(address(), from(returns.token));
  returns.until(again, has_it);
  EXPECT_EQ(returns.resets, 1);
  EXPECT_EQ(returns.seen.size(), ledger().size());
}

TEST_F(ServiceStreamTest, bad_requests_are_told_apart) {
  const auto refused = [&](const Request& request) {
    MovementStream stream(address(), request);
    const auto ended = stream.end();
    return std::to_string(ended.code) + " " + ended.reason;
  };
  EXPECT_EQ(refused(from("garbage")), "3 INVALID_FIELD");
  EXPECT_EQ(refused(from("")), "3 INVALID_FIELD");
  Consumer consumer;
  MovementStream stream(address(), from_now());
  consumer.until(stream, is_all);
  EXPECT_EQ(refused(from(consumer.token, "north")), "3 INVALID_FIELD");
}

}  // namespace
}  // namespace stock
