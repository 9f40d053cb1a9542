// What lies between two snapshots, page by page, however it is read.
#include <random>
#include <set>
#include <thread>

#include "integration/postgres_world.h"
#include "stock/postgres/delta_store.h"

namespace stock::postgres {
namespace {

class PostgresDelta : public PostgresTest {
 protected:
  static domain::Snapshot now() {
    return *domain::Snapshot::parse(sql().value("SELECT pg_current_snapshot()"));
  }
  static void put(support::Sql& on, const std::string& sku, int on_hand,
                  const std::string& location = "main") {
    on.exec("INSERT INTO stock.level (sku, location, on_hand) VALUES ('" + sku + "', '" + location +
            "', " + std::to_string(on_hand) +
            ") ON CONFLICT (sku, location) DO UPDATE SET on_hand = excluded.on_hand");
  }

  template <typename T, typename Ask>
  T await(Ask ask) {
    std::promise<absl::StatusOr<T>> promise;
    ask([&](absl::StatusOr<T> value) { promise.set_value(std::move(value)); });
    auto value = promise.get_future().get();
    EXPECT_TRUE(value.ok()) << value.status();
    return value.ok() ? *std::move(value) : T{};
  }
  feed::LevelDelta levels(feed::LevelDeltaQuery query) {
    return await<feed::LevelDelta>([&](auto done) {
      store_.levels(std::move(query), world_.in(support::kGenerous), std::move(done));
    });
  }
  feed::MovementDelta page(feed::MovementDeltaQuery query) {
    return await<feed::MovementDelta>([&](auto done) {
      store_.movements(std::move(query), world_.in(support::kGenerous), std::move(done));
    });
  }
  domain::Xid common_past(domain::Incarnation incarnation) {
    return await<domain::Xid>([&](auto done) {
      store_.common_past(incarnation, world_.in(support::kGenerous), std::move(done));
    });
  }
  // "sku v2", of the whole delta.
  std::vector<std::string> between(const domain::Snapshot& since, const domain::Snapshot& through,
                                   std::size_t limit = 3, const std::string& location = "") {
    std::vector<std::string> words;
    feed::MovementDeltaQuery query{
        .since = since, .through = through, .location = location, .limit = limit};
    while (true) {
      const feed::MovementDelta delta = page(query);
      walked_ = delta.walk;
      for (const domain::Movement& movement : delta.movements) {
        words.push_back(movement.key.sku + " v" + std::to_string(movement.version));
      }
      EXPECT_LE(delta.movements.size(), limit);
      if (!delta.more) return words;
      query.walk = delta.walk;
      query.after = delta.after;
      query.after_version = delta.after_version;
    }
  }

  static constexpr std::size_t kSmall = 40;
  Pool pool_{{.session = options(), .connections = 2, .queue = 64}, world_.local, world_.timers};
  DeltaStore store_{
      {.small = kSmall, .stride = 7, .heartbeats = 2}, pool_, world_.timers, world_.knowledge};
  bool walked_ = false;
};

TEST_F(PostgresDelta, of_keys_it_is_the_newest_version_of_those_that_moved) {
  put(sql(), "still", 1);
  put(sql(), "moves", 1);
  put(sql(), "goes", 1);
  const domain::Snapshot since = now();
  put(sql(), "moves", 2);
  put(sql(), "moves", 3);
  put(sql(), "comes", 4);
  sql("DELETE FROM stock.level WHERE sku = 'goes'");
  const auto delta = levels({.keys = {{"never", "main"},
                                      {"goes", "main"},
                                      {"still", "main"},
                                      {"moves", "main"},
                                      {"comes", "main"}},
                             .since = since});
  EXPECT_EQ(delta.incarnation, 4711u);
  std::map<std::size_t, std::string> found;
  for (std::size_t i = 0; i < delta.keys.size(); ++i) {
    found[delta.numbers[i]] = delta.keys[i].sku + " v" + std::to_string(delta.readings[i].version) +
                              (delta.readings[i].exists ? "" : " gone");
  }
  EXPECT_EQ(found, (std::map<std::size_t, std::string>{
                       {1, "goes v2 gone"}, {3, "moves v3"}, {4, "comes v1"}}));
  EXPECT_THAT(levels({.keys = {{"moves", "main"}}, .since = *delta.shows}).keys, IsEmpty());
}

TEST_F(PostgresDelta, of_a_location_the_same_of_all_its_keys) {
  const domain::Snapshot since = now();
  support::Sql slow = primary().connect();
  slow.exec("BEGIN");
  put(slow, "slow", 1, "north");
  const domain::Snapshot between = now();
  put(sql(), "N1", 1, "north");
  put(sql(), "N1", 2, "north");
  put(sql(), "N2", 1, "north");
  put(sql(), "elsewhere", 1);
  auto delta = levels({.location = "north", .since = since});
  EXPECT_THAT(delta.keys, ElementsAre(Key{"N1", "north"}, Key{"N2", "north"}));
  EXPECT_EQ(delta.readings[0].version, 2);
  EXPECT_FALSE(delta.more);
  slow.exec("COMMIT");
  delta = levels({.location = "north", .since = between});
  EXPECT_THAT(delta.keys,
              ElementsAre(Key{"N1", "north"}, Key{"N2", "north"}, Key{"slow", "north"}));
  delta = levels({.location = "north", .since = between, .limit = 2});
  EXPECT_EQ(delta.keys.size(), 2u);
  EXPECT_TRUE(delta.more);
}

TEST_F(PostgresDelta, small_ones_and_great_ones_are_the_same_pages) {
  const domain::Snapshot since = now();
  for (int i = 0; i < 10; ++i) put(sql(), "D" + std::to_string(i % 5), i + 1);
  const domain::Snapshot middle = now();
  EXPECT_THAT(between(since, middle), ElementsAre("D0 v1", "D0 v2", "D1 v1", "D1 v2", "D2 v1",
                                                  "D2 v2", "D3 v1", "D3 v2", "D4 v1", "D4 v2"));
  EXPECT_FALSE(walked_);
  for (int i = 0; i < 45; ++i) put(sql(), "D" + std::to_string(i % 5), i + 50);
  const domain::Snapshot end = now();
  const auto great = between(since, end);
  EXPECT_TRUE(walked_);
  EXPECT_EQ(great.size(), 55u);
  EXPECT_EQ(std::set(great.begin(), great.end()).size(), 55u);
  EXPECT_EQ(great.front(), "D0 v1");
  EXPECT_EQ(great.back(), "D4 v11");
  EXPECT_THAT(between(since, since), IsEmpty());
  EXPECT_THAT(between(since, end, 3, "north"), IsEmpty());
}

TEST_F(PostgresDelta, from_the_beginning_of_time_it_is_the_ledger) {
  put(sql(), "begins", 1);
  EXPECT_EQ(between(feed::beginning_of_time(), now(), 100).size(),
            static_cast<std::size_t>(sql().number("SELECT count(*) FROM stock.movement")));
}

TEST_F(PostgresDelta, a_great_one_ends_with_a_heartbeat_if_it_may) {
  sql("DELETE FROM stock.heartbeat");
  const domain::Snapshot since = now();
  for (int beat = 1; beat <= 5; ++beat) {
    for (int i = 0; i < 15; ++i) put(sql(), "H" + std::to_string(i), beat);
    sql("INSERT INTO stock.heartbeat VALUES (" + std::to_string(beat) +
        ", now(), pg_current_snapshot(), 4711)");
  }
  const domain::Snapshot end = now();
  feed::MovementDeltaQuery query{.since = since, .through = end, .shorten = true, .limit = 1000};
  // The third would be 45 movements, which is more than a small delta has; the first is 15.
  const auto shortened = page(query);
  EXPECT_FALSE(shortened.walk);
  EXPECT_EQ(shortened.movements.size(), 15u);
  EXPECT_EQ(shortened.through.text(),
            sql().value("SELECT snapshot FROM stock.heartbeat WHERE number = 1"));
  query.shorten = false;
  EXPECT_TRUE(page(query).walk);
}

TEST_F(PostgresDelta, the_common_past_is_what_a_heartbeat_before_the_last_has_shown) {
  sql("DELETE FROM stock.heartbeat");
  EXPECT_EQ(common_past(9), 1u);
  sql("INSERT INTO stock.heartbeat VALUES (1, now(), '100:120:', 9), (2, now(), '130:140:', 9),"
      " (3, now(), '150:160:', 4711)");
  EXPECT_EQ(common_past(9), 120u);
  EXPECT_EQ(common_past(10), 1u);
}

// Transactions that begin, commit late or roll back: the deltas between snapshots that were taken
// meanwhile hold each movement once, each key's in order.
TEST_F(PostgresDelta, at_random_no_gap_and_no_duplicate) {
  std::vector<domain::Snapshot> snapshots = {now()};
  std::vector<std::thread> writers;
  std::atomic<int> writing{3};
  for (unsigned seed = 1; seed <= 3; ++seed) {
    writers.emplace_back([&, seed] {
      std::minstd_rand random(seed);
      support::Sql on = primary().connect();
      for (int i = 0; i < 60; ++i) {
        on.exec("BEGIN");
        std::set<int> keys;
        for (unsigned n = 1 + random() % 3; n > 0; --n) keys.insert(static_cast<int>(random() % 6));
        for (const int key : keys)
          put(on, "R" + std::to_string(key), static_cast<int>(random() % 99));
        on.exec(random() % 5 == 0 ? "ROLLBACK" : "COMMIT");
      }
      --writing;
    });
  }
  while (writing > 0) snapshots.push_back(now());
  for (std::thread& writer : writers) writer.join();
  snapshots.push_back(now());
  std::vector<domain::Snapshot> some = {snapshots.front()};
  const std::size_t step = std::max<std::size_t>(1, snapshots.size() / 30);
  for (std::size_t i = step; i < snapshots.size(); i += step) some.push_back(snapshots[i]);
  some.push_back(snapshots.back());
  std::map<std::string, int> times;
  std::map<std::string, int> last;
  for (std::size_t i = 1; i < some.size(); ++i) {
    for (const std::string& word : between(some[i - 1], some[i], 5)) {
      ++times[word];
      const std::string sku = word.substr(0, 2);
      const int version = std::stoi(word.substr(4));
      EXPECT_GT(version, last[sku]) << word;
      last[sku] = version;
    }
  }
  for (const auto& [word, n] : times) EXPECT_EQ(n, 1) << word;
  EXPECT_EQ(static_cast<std::int64_t>(times.size()),
            sql().number("SELECT count(*) FROM stock.movement WHERE sku LIKE 'R_'"));
}

}  // namespace
}  // namespace stock::postgres
