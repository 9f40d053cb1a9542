// WatchStockLevels: current levels, then every change, as a client sees it.
#include <map>
#include <thread>

#include "service_world.h"
#include "support/stock_stream.h"
#include "support/tcp_gate.h"

namespace stock {
namespace {

using support::WatchStream;
using Response = v1::WatchStockLevelsResponse;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;

v1::WatchStockLevelsRequest watch_of(const std::vector<std::string>& skus,
                                     const std::string& token = "") {
  v1::WatchStockLevelsRequest request;
  for (const std::string& sku : skus) {
    auto& key = *request.add_keys();
    key.set_sku(sku);
    key.set_location("main");
  }
  request.set_resume_token(token);
  return request;
}

v1::WatchStockLevelsRequest watch_location(const std::string& location,
                                           const std::string& token = "") {
  v1::WatchStockLevelsRequest request;
  request.set_location(location);
  request.set_resume_token(token);
  return request;
}

bool is_live(const Response& response) {
  return !response.initial() && !response.resume_token().empty();
}

// A client of one watch, who checks whatever comes: no version twice or backwards, provenance,
// watermarks that do not fall.
class Watcher {
 public:
  Watcher(const std::string& address, const v1::WatchStockLevelsRequest& request)
      : stream_(address, request) {}

  // "sku v2=7": what came until (and with) the response that satisfies.
  std::vector<std::string> until(const std::function<bool(const Response&)>& enough) {
    std::vector<std::string> words;
    for (const Response& response : stream_.read_until(enough)) take(response, words);
    return words;
  }
  // Until all initial levels have come.
  std::vector<std::string> initial() { return until(is_live); }
  std::vector<std::string> until_version(const std::string& sku, std::int64_t version) {
    std::vector<std::string> words;
    if (versions.contains(sku) && versions[sku] >= version) return words;
    return until([&](const Response& response) {
      for (const auto& change : response.changes()) {
        if (change.level().key().sku() == sku && change.level().version() >= version) return true;
      }
      return false;
    });
  }
  WatchStream& stream() { return stream_; }

  std::string token;
  std::map<std::string, std::int64_t> versions;
  std::int64_t left_out = 0;
  int resets = 0;
  google::protobuf::Timestamp watermark;

 private:
  void take(const Response& response, std::vector<std::string>& words) {
    if (response.reset()) {
      ++resets;
      versions.clear();
    }
    for (const auto& change : response.changes()) {
      const auto& level = change.level();
      const std::string& sku = level.key().sku();
      const auto [it, fresh] = versions.try_emplace(sku, level.version());
      if (!fresh) {
        EXPECT_GT(level.version(), it->second) << sku;
        if (!response.initial()) {
          EXPECT_EQ(level.version(), it->second + change.versions_left_out() + 1) << sku;
        }
        it->second = level.version();
      }
      left_out += change.versions_left_out();
      EXPECT_NE(level.provenance().layer(), v1::LAYER_UNSPECIFIED);
      EXPECT_TRUE(level.provenance().has_true_through());
      if (!response.initial()) {
        EXPECT_EQ(level.provenance().layer(), v1::LAYER_PRIMARY);
      }
      words.push_back(sku + " v" + std::to_string(level.version()) + "=" +
                      std::to_string(level.counts().on_hand()) + (level.exists() ? "" : " gone"));
    }
    if (response.has_watermark()) {
      EXPECT_GE(response.watermark().seconds(), watermark.seconds());
      watermark = response.watermark();
    }
    if (!response.resume_token().empty()) token = response.resume_token();
  }

  WatchStream stream_;
};

class ServiceWatchTest : public ServiceTest {
 protected:
  static void SetUpTestSuite() {
    ServiceTest::SetUpTestSuite();
    stockd_ = std::make_unique<StockdProcess>(all_layers({"--max-concurrent-streams", "5000"}));
    client_ = std::make_unique<StockClient>(stockd_->address());
    for (const char* location : {"main", "north", "crowd"}) client_->create_location(location, "");
  }
  static void TearDownTestSuite() {
    client_.reset();
    stockd_.reset();
    ServiceTest::TearDownTestSuite();
  }
  static StockdProcess& stockd() { return *stockd_; }
  static StockClient& client() { return *client_; }
  static std::string address() { return stockd_->address(); }

 private:
  static inline std::unique_ptr<StockdProcess> stockd_;
  static inline std::unique_ptr<StockClient> client_;
};

TEST_F(ServiceWatchTest, current_levels_come_first_and_then_every_change) {
  client().adjust("first", "main", 5);
  Watcher watcher(address(), watch_of({"first", "none yet"}));
  EXPECT_THAT(watcher.initial(), ElementsAre("first v1=5", "none yet v0=0 gone"));
  EXPECT_NE(watcher.watermark.seconds(), 0);
  client().adjust("first", "main", -1);
  EXPECT_THAT(watcher.until_version("first", 2), ElementsAre("first v2=4"));
  client().adjust("unwatched", "main", 1);
  client().adjust("none yet", "main", 9);
  EXPECT_THAT(watcher.until_version("none yet", 1), ElementsAre("none yet v1=9"));
  primary().connect().exec("DELETE FROM stock.level WHERE sku = 'none yet'");
  EXPECT_THAT(watcher.until_version("none yet", 2), ElementsAre("none yet v2=0 gone"));
}

TEST_F(ServiceWatchTest, of_a_location_those_that_come_later_too) {
  primary().connect().exec(
      "INSERT INTO stock.level (sku, location, on_hand)"
      " SELECT 'L' || lpad(i::text, 5, '0'), 'north', i FROM generate_series(1, 2500) i");
  Watcher watcher(address(), watch_location("north"));
  EXPECT_EQ(watcher.initial().size(), 2500u);
  client().adjust("L00007", "north", 1);
  client().adjust("L00007", "main", 1);
  client().adjust("new", "north", 3);
  EXPECT_THAT(watcher.until_version("new", 1), ElementsAre("L00007 v2=8", "new v1=3"));
  client().adjust("L02500", "north", 1);
  EXPECT_THAT(watcher.until_version("L02500", 2), ElementsAre("L02500 v2=2501"));
}

// The interleaving: a page is read; 6,000 levels change; some pages are read; 6,000 others change.
// More than is kept for a watcher, but not of what it still has to be told.
TEST_F(ServiceWatchTest, a_location_that_changes_much_while_it_is_listed_is_listed_once) {
  client().create_location("vast", "");
  support::Sql sql = primary().connect();
  sql.exec(
      "INSERT INTO stock.level (sku, location, on_hand)"
      " SELECT 'V' || lpad(i::text, 5, '0'), 'vast', i FROM generate_series(1, 24000) i");
  const auto change = [&](int parity) {
    const std::string moved = "stock_feed_movements_total";
    const double before = metric(stockd(), moved);
    sql.exec(
        "UPDATE stock.level SET on_hand = on_hand + 1 WHERE location = 'vast'"
        " AND on_hand % 4 = " +
        std::to_string(parity));
    EXPECT_TRUE(eventually([&] { return metric(stockd(), moved); }, Ge(before + 6000)));
  };
  EXPECT_TRUE(
      eventually([&] { return metric(stockd(), "stock_feed_movements_total"); }, Ge(24000)));
  Watcher watcher(address(), watch_location("vast"));
  const auto read_pages = [&](int n) {
    watcher.until([n](const Response&) mutable { return --n == 0; });
  };
  read_pages(1);
  change(0);
  read_pages(5);
  change(2);
  watcher.initial();
  EXPECT_EQ(watcher.resets, 0);
  EXPECT_EQ(watcher.versions.size(), 24000u);
  sql.exec("UPDATE stock.level SET on_hand = 0 WHERE sku = 'V23999'");
  watcher.until_version("V23999", sql.number("SELECT version FROM stock.level"
                                             " WHERE sku = 'V23999'"));
  for (const auto& row :
       sql.query("SELECT sku, version FROM stock.level WHERE location = 'vast'")) {
    EXPECT_EQ(std::to_string(watcher.versions[row[0]]), row[1]) << row[0];
  }
}

TEST_F(ServiceWatchTest, nothing_is_lost_between_what_is_found_and_what_changes) {
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    StockClient writes(address());
    while (!stop) writes.adjust("between", "main", 1);
  });
  for (int i = 0; i < 40; ++i) {
    // The watcher checks that each version follows the one before.
    Watcher by_key(address(), watch_of({"between"}));
    by_key.initial();
    by_key.until_version("between", by_key.versions["between"] + 3);
    if (i % 4 > 0) continue;
    Watcher by_location(address(), watch_location("main"));
    by_location.initial();
    by_location.until_version("between", by_location.versions["between"] + 3);
  }
  stop = true;
  writer.join();
}

TEST_F(ServiceWatchTest, an_idle_watch_tells_how_far_it_has_come) {
  Watcher watcher(address(), watch_of({"idle"}));
  watcher.initial();
  const auto before = watcher.watermark;
  EXPECT_THAT(watcher.until([&](const Response& response) {
    return response.watermark().seconds() > before.seconds();
  }),
              IsEmpty());
}

TEST_F(ServiceWatchTest, a_thousand_watchers_of_one_key_cost_one_feed) {
  client().adjust("popular", "main", 1);
  std::vector<std::unique_ptr<Watcher>> watchers;
  const double polls = metric(stockd(), R"(stock_feed_polls_total{outcome="moved"})");
  for (int i = 0; i < 1000; ++i) {
    watchers.push_back(std::make_unique<Watcher>(address(), watch_of({"popular"})));
  }
  for (auto& watcher : watchers) watcher->initial();
  EXPECT_GE(metric(stockd(), "stock_watchers"), 1000);
  for (int i = 0; i < 3; ++i) client().adjust("popular", "main", 1);
  for (auto& watcher : watchers) {
    watcher->until_version("popular", 4);
    EXPECT_EQ(watcher->versions["popular"], 4);
  }
  EXPECT_LE(metric(stockd(), R"(stock_feed_polls_total{outcome="moved"})"), polls + 10);
  watchers.clear();
  EXPECT_TRUE(eventually([&] { return metric(stockd(), "stock_watchers"); }, Eq(0)));
}

TEST_F(ServiceWatchTest, one_that_does_not_read_gets_the_newest_and_how_many_were_left_out) {
  Watcher slow(address(), watch_of({"hot"}));
  slow.initial();
  auto sql = primary().connect();
  sql.exec("INSERT INTO stock.level (sku, location, on_hand) VALUES ('hot', 'main', 0)");
  sql.exec(
      "DO $$ BEGIN FOR i IN 1..5000 LOOP"
      " UPDATE stock.level SET on_hand = on_hand + 1 WHERE sku = 'hot'; COMMIT;"
      " END LOOP; END $$");
  EXPECT_TRUE(eventually([&] { return metric(stockd(), "stock_watch_conflated_total"); }, Gt(100)));
  slow.until_version("hot", 5001);
  EXPECT_EQ(slow.versions["hot"], 5001);
  EXPECT_GT(slow.left_out, 100);
  EXPECT_EQ(slow.resets, 0);
}

TEST_F(ServiceWatchTest, a_resumed_watch_is_sent_what_changed_and_nothing_else) {
  for (const char* sku : {"R1", "R2", "R3"}) client().adjust(sku, "main", 1);
  std::string token;
  {
    Watcher watcher(address(), watch_of({"R1", "R2", "R3"}));
    watcher.initial();
    client().adjust("R1", "main", 1);
    watcher.until_version("R1", 2);
    // With the version comes the token behind it.
    token = watcher.token;
  }
  client().adjust("R2", "main", 1);
  client().adjust("R2", "main", 1);
  client().adjust("unwatched", "main", 1);
  {
    Watcher again(address(), watch_of({"R1", "R2", "R3"}, token));
    EXPECT_THAT(again.initial(), ElementsAre("R2 v3=3"));
    EXPECT_EQ(again.resets, 0);
    client().adjust("R3", "main", 1);
    EXPECT_THAT(again.until_version("R3", 2), ElementsAre("R3 v2=2"));
    token = again.token;
  }
  // On another server.
  StockdProcess other(all_layers());
  Watcher there(other.address(), watch_of({"R3", "R2", "R1"}, token));
  EXPECT_THAT(there.initial(), IsEmpty());
  EXPECT_EQ(there.resets, 0);
  client().adjust("R1", "main", 1);
  EXPECT_THAT(there.until_version("R1", 3), ElementsAre("R1 v3=3"));
}

TEST_F(ServiceWatchTest, a_resumed_watch_of_a_location_likewise) {
  client().adjust("C1", "crowd", 1);
  client().adjust("C2", "crowd", 1);
  std::string token;
  {
    Watcher watcher(address(), watch_location("crowd"));
    watcher.initial();
    token = watcher.token;
  }
  client().adjust("C2", "crowd", 1);
  client().adjust("C3", "crowd", 1);
  client().adjust("C3", "crowd", 1);
  client().adjust("C3", "main", 1);
  Watcher again(address(), watch_location("crowd", token));
  EXPECT_THAT(again.initial(), ElementsAre("C2 v2=2", "C3 v2=2"));
  EXPECT_EQ(again.resets, 0);
  client().adjust("C1", "crowd", 1);
  EXPECT_THAT(again.until_version("C1", 2), ElementsAre("C1 v2=2"));
}

TEST_F(ServiceWatchTest, what_changed_too_much_while_one_was_away_is_sent_anew) {
  std::string token;
  {
    Watcher watcher(address(), watch_location("crowd"));
    watcher.initial();
    token = watcher.token;
  }
  primary().connect().exec(
      "INSERT INTO stock.level (sku, location, on_hand)"
      " SELECT 'M' || i, 'crowd', i FROM generate_series(1, 10100) i");
  Watcher again(address(), watch_location("crowd", token));
  again.initial();
  EXPECT_EQ(again.resets, 1);
  EXPECT_GT(again.versions.size(), 10100u);
}

TEST_F(ServiceWatchTest, bad_requests_are_told_apart) {
  const auto refused = [&](const v1::WatchStockLevelsRequest& request) {
    WatchStream stream(address(), request);
    const auto ended = stream.end();
    return std::to_string(ended.code) + " " + ended.reason;
  };
  EXPECT_EQ(refused({}), "3 INVALID_FIELD");
  auto both = watch_of({"A"});
  both.set_location("main");
  EXPECT_EQ(refused(both), "3 INVALID_FIELD");
  EXPECT_EQ(refused(watch_of({"A", "A"})), "3 INVALID_FIELD");
  EXPECT_EQ(refused(watch_of({""})), "3 INVALID_FIELD");
  EXPECT_EQ(refused(watch_of(std::vector<std::string>(1001, "A"))), "3 INVALID_FIELD");
  EXPECT_EQ(refused(watch_of({"A"}, "garbage")), "3 INVALID_FIELD");
  Watcher watcher(address(), watch_of({"A"}));
  watcher.initial();
  EXPECT_EQ(refused(watch_of({"B"}, watcher.token)), "3 INVALID_FIELD");
  std::string damaged = watcher.token;
  damaged[20] = damaged[20] == 'A' ? 'B' : 'A';
  EXPECT_EQ(refused(watch_of({"A"}, damaged)), "3 INVALID_FIELD");
}

// The feed goes on, and no level can be read. Many, because who drops the failed answer last is a
// race.
TEST_F(ServiceWatchTest, a_watch_that_nobody_can_answer_says_why) {
  StockdProcess lonely(primary_only({"--primary-timeout", "200ms"}));
  Watcher(lonely.address(), watch_of({"known"})).initial();
  support::Sql locking(primary().url("postgres"));
  locking.exec("BEGIN; LOCK TABLE stock.level IN ACCESS EXCLUSIVE MODE");
  for (int i = 0; i < 100; ++i) {
    WatchStream stream(lonely.address(), watch_of({"unknown " + std::to_string(i)}));
    const auto ended = stream.end();
    EXPECT_EQ(ended.code, kUnavailable);
    EXPECT_EQ(ended.message, "no layer could answer 1 of 1 keys");
  }
}

TEST_F(ServiceWatchTest, streams_that_the_feed_cannot_serve_say_why) {
  support::TcpGate gate(primary().port());
  gate.cut();
  std::string url = primary().url();
  const std::string port = std::to_string(primary().port());
  url.replace(url.find(port), port.size(), std::to_string(gate.port()));
  const StockdProcess cut_off({.primary_url = url, .await = StockdProcess::Await::kAlive});
  WatchStream watch(cut_off.address(), watch_of({"known"}));
  support::MovementStream movements(cut_off.address(), {});
  for (const auto& ended : {watch.end(), movements.end()}) {
    EXPECT_EQ(ended.code, kUnavailable);
    EXPECT_THAT(ended.message, HasSubstr("feed stands still"));
    EXPECT_THAT(ended.message, HasSubstr("refused"));
  }
}

TEST_F(ServiceWatchTest, without_a_feed_there_is_none) {
  StockdProcess without(primary_only({"--feed", "off"}));
  WatchStream stream(without.address(), watch_of({"A"}));
  const auto ended = stream.end();
  EXPECT_EQ(ended.code, kFailedPrecondition);
  EXPECT_EQ(ended.reason, "FEED_OFF");
}

TEST_F(ServiceWatchTest, there_are_no_more_streams_than_the_setting_says) {
  StockdProcess narrow(primary_only({"--max-streams", "2"}));
  Watcher first(narrow.address(), watch_of({"A"}));
  first.initial();
  auto second = std::make_unique<Watcher>(narrow.address(), watch_of({"A"}));
  second->initial();
  {
    WatchStream third(narrow.address(), watch_of({"A"}));
    const auto ended = third.end();
    EXPECT_EQ(ended.code, 8);
    EXPECT_EQ(ended.reason, "TOO_MANY_STREAMS");
  }
  second.reset();
  EXPECT_TRUE(eventually([&] { return metric(narrow, "stock_watchers"); }, Eq(1)));
  Watcher again(narrow.address(), watch_of({"A"}));
  EXPECT_EQ(again.initial().size(), 1u);
}

TEST_F(ServiceWatchTest, a_server_that_goes_leaves_the_token_to_go_on_with) {
  client().adjust("drained", "main", 1);
  auto going = std::make_unique<StockdProcess>(all_layers());
  Watcher watcher(going->address(), watch_of({"drained"}));
  watcher.initial();
  std::thread stop([&] { going.reset(); });
  watcher.until([](const Response&) { return false; });
  const auto ended = watcher.stream().end();
  stop.join();
  EXPECT_EQ(ended.code, kUnavailable);
  EXPECT_EQ(ended.reason, "SHUTTING_DOWN");
  EXPECT_EQ(watcher.stream().last_token(), watcher.token);
  client().adjust("drained", "main", 1);
  Watcher again(address(), watch_of({"drained"}, watcher.token));
  EXPECT_THAT(again.initial(), ElementsAre("drained v2=2"));
}

TEST_F(ServiceWatchTest, another_incarnation_sends_everything_anew) {
  client().adjust("crash", "main", 5);
  Watcher watcher(address(), watch_of({"crash"}));
  watcher.initial();
  const std::string token = watcher.token;
  primary().kill9();
  primary().start();
  EXPECT_THAT(watcher.until([](const Response& response) { return response.reset(); }),
              ElementsAre("crash v1=5"));
  EXPECT_EQ(watcher.resets, 1);
  EXPECT_TRUE(eventually([&] { return client().adjust("crash", "main", 1).ok(); }));
  watcher.until_version("crash", 2);
  // And whoever was away meanwhile.
  Watcher again(address(), watch_of({"crash"}, token));
  again.until_version("crash", 2);
  EXPECT_EQ(again.resets, 1);
}

}  // namespace
}  // namespace stock
