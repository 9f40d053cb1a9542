// The delta between two snapshots, whatever transactions do meanwhile.
#include <random>
#include <set>
#include <thread>

#include "integration/postgres_world.h"
#include "stock/feed/tail.h"
#include "stock/postgres/feed_source.h"

namespace stock::postgres {
namespace {

constexpr domain::Incarnation kIncarnation = 4711;

class PostgresFeed : public PostgresTest {
 protected:
  struct Polled {
    feed::Poll poll;
    std::vector<feed::Move> moves;
    int deliveries = 0;
  };
  Polled poll(const domain::Snapshot& since, domain::Incarnation incarnation = kIncarnation) {
    Polled polled;
    const auto answer =
        source_.poll(incarnation, since, [&](const feed::Poll&, std::span<const feed::Move> moves) {
          ++polled.deliveries;
          polled.moves.insert(polled.moves.end(), moves.begin(), moves.end());
        });
    EXPECT_TRUE(answer.ok()) << answer.status();
    if (answer.ok()) polled.poll = *answer;
    return polled;
  }
  // From now on; later polls go on from the last one.
  void begin() { position_ = *poll(*domain::Snapshot::parse("3:3:"), 0).poll.snapshot; }
  std::vector<std::string> moved() {
    const Polled polled = poll(position_);
    position_ = *polled.poll.snapshot;
    std::vector<std::string> words;
    for (const feed::Move& move : polled.moves) {
      words.push_back(move.key.sku + " v" + std::to_string(move.version) + "=" +
                      std::to_string(move.counts.on_hand) + (move.exists ? "" : " gone"));
    }
    return words;
  }
  static void put(support::Sql& on, const std::string& sku, int on_hand) {
    on.exec("INSERT INTO stock.level (sku, location, on_hand) VALUES ('" + sku + "', 'main', " +
            std::to_string(on_hand) +
            ") ON CONFLICT (sku, location) DO UPDATE SET on_hand = excluded.on_hand");
  }

  FeedSource source_{{.session = options(), .piece = 100}, world_.knowledge, world_.timers};
  domain::Snapshot position_;
};

TEST_F(PostgresFeed, each_move_comes_once_with_what_it_made) {
  begin();
  EXPECT_THAT(moved(), IsEmpty());
  put(sql(), "once", 5);
  EXPECT_THAT(moved(), ElementsAre("once v1=5"));
  EXPECT_THAT(moved(), IsEmpty());
  put(sql(), "once", 6);
  put(sql(), "once", 7);
  EXPECT_THAT(moved(), ElementsAre("once v2=6", "once v3=7"));
  sql("DELETE FROM stock.level WHERE sku = 'once'");
  EXPECT_THAT(moved(), ElementsAre("once v4=0 gone"));
  sql("DELETE FROM stock.level WHERE sku = 'never'");
  EXPECT_THAT(moved(), IsEmpty());
}

TEST_F(PostgresFeed, of_one_transaction_only_the_last_version_of_a_key_comes) {
  begin();
  sql("BEGIN");
  for (int i = 1; i <= 3; ++i) put(sql(), "thrice", i);
  put(sql(), "other", 1);
  sql("COMMIT");
  EXPECT_THAT(moved(), ElementsAre("other v1=1", "thrice v3=3"));
}

TEST_F(PostgresFeed, who_commits_late_is_not_lost_and_stalls_nobody) {
  begin();
  support::Sql slow = primary().connect();
  slow.exec("BEGIN");
  put(slow, "late", 1);
  put(sql(), "early", 1);
  EXPECT_THAT(moved(), ElementsAre("early v1=1"));
  put(sql(), "early", 2);
  EXPECT_THAT(moved(), ElementsAre("early v2=2"));
  slow.exec("COMMIT");
  EXPECT_THAT(moved(), ElementsAre("late v1=1"));
  EXPECT_THAT(moved(), IsEmpty());
}

TEST_F(PostgresFeed, what_is_rolled_back_never_was) {
  begin();
  support::Sql other = primary().connect();
  other.exec("BEGIN");
  put(other, "undone", 1);
  EXPECT_THAT(moved(), IsEmpty());
  other.exec("ROLLBACK");
  EXPECT_THAT(moved(), IsEmpty());
  other.exec("BEGIN; SAVEPOINT s");
  put(other, "half", 1);
  other.exec("ROLLBACK TO s");
  put(other, "half", 2);
  other.exec("COMMIT");
  EXPECT_THAT(moved(), ElementsAre("half v1=2"));
}

TEST_F(PostgresFeed, millions_at_once_come_a_piece_at_a_time_from_one_snapshot) {
  begin();
  sql("INSERT INTO stock.level (sku, location, on_hand)"
      " SELECT 'M' || i, 'main', i FROM generate_series(1, 1234) i");
  put(sql(), "M7", 70);
  const Polled polled = poll(position_);
  EXPECT_EQ(polled.moves.size(), 1235u);
  EXPECT_GT(polled.deliveries, 10);
  EXPECT_EQ(poll(*polled.poll.snapshot).moves.size(), 0u);
  // Each key's versions in order, the last one of a piece and the first of the next included.
  std::map<Key, domain::Version> last;
  for (const feed::Move& move : polled.moves) EXPECT_EQ(move.version, ++last[move.key]);
  EXPECT_EQ(last.size(), 1234u);
}

// The interleaving: a poll; more levels than are read at once change in one transaction; the next
// poll.
TEST_F(PostgresFeed, more_than_can_be_read_in_time_is_begun_anew_from_a_heartbeat_that_shows_it) {
  const auto beat = [](int number, const std::string& age) {
    sql("INSERT INTO stock.heartbeat VALUES (" + std::to_string(number) + ", now() - interval '" +
        age + "', pg_current_snapshot(), 4711)");
  };
  FeedSource source({.session = options(), .piece = 50, .most = 100}, world_.knowledge,
                    world_.timers);
  const auto nothing = [](const feed::Poll&, std::span<const feed::Move> moves) {
    ADD_FAILURE() << moves.size() << " moves";
  };
  sql("DELETE FROM stock.heartbeat; INSERT INTO stock.level (sku, location, on_hand)"
      " SELECT 'B' || i, 'main', i FROM generate_series(1, 400) i");
  begin();
  beat(1, "5 minutes");
  sql("UPDATE stock.level SET on_hand = on_hand + 1 WHERE sku LIKE 'B%'");
  EXPECT_TRUE(absl::IsOutOfRange(source.poll(kIncarnation, position_, nothing).status()));

  // No heartbeat shows it yet.
  auto beginning = source.begin();
  ASSERT_TRUE(beginning.ok()) << beginning.status();
  EXPECT_EQ(beginning->heartbeat, 1);
  EXPECT_TRUE(absl::IsOutOfRange(source.poll(kIncarnation, beginning->snapshot, nothing).status()));

  beat(2, "0");
  put(sql(), "after", 1);
  beginning = source.begin();
  ASSERT_TRUE(beginning.ok()) << beginning.status();
  EXPECT_EQ(beginning->heartbeat, 2);
  position_ = beginning->snapshot;
  EXPECT_THAT(moved(), ElementsAre("after v1=1"));
}

TEST_F(PostgresFeed, of_another_incarnation_nothing_is_delivered) {
  begin();
  put(sql(), "void", 1);
  const Polled polled = poll(position_, kIncarnation + 1);
  EXPECT_EQ(polled.poll.incarnation, kIncarnation);
  EXPECT_THAT(polled.moves, IsEmpty());
}

// Files of an earlier shutdown are put back: all is as it was then, the incarnation too.
TEST_F(PostgresFeed, a_history_whose_transaction_ids_have_gone_back_is_ended) {
  begin();
  put(sql(), "again", 1);
  const std::string later = std::to_string(position_.xmax() + 1000);
  const auto polled =
      source_.poll(kIncarnation, *domain::Snapshot::parse(later + ":" + later + ":"),
                   [](const feed::Poll&, std::span<const feed::Move>) {
                     ADD_FAILURE() << "moves of another history";
                   });
  EXPECT_TRUE(absl::IsUnavailable(polled.status())) << polled.status();
  EXPECT_EQ(sql().number("SELECT count(*) FROM stock.incarnation"), 0);
  sql("INSERT INTO stock.incarnation (id) VALUES (4711)");
  EXPECT_THAT(moved(), ElementsAre("again v1=1"));
}

TEST_F(PostgresFeed, it_begins_from_the_oldest_heartbeat_that_is_young_enough) {
  sql("DELETE FROM stock.heartbeat");
  EXPECT_TRUE(absl::IsUnavailable(source_.begin().status()));
  sql("INSERT INTO stock.heartbeat SELECT i, now() - make_interval(mins => 20 - i), "
      "pg_current_snapshot(), 4711 FROM generate_series(1, 19) i;"
      "INSERT INTO stock.heartbeat VALUES (20, now(), pg_current_snapshot(), 9)");
  const auto beginning = source_.begin();
  ASSERT_TRUE(beginning.ok()) << beginning.status();
  EXPECT_EQ(beginning->incarnation, kIncarnation);
  // Ten minutes old when it was written, and a moment more by now.
  EXPECT_EQ(beginning->heartbeat, 11);
  EXPECT_EQ(beginning->snapshot.text(),
            sql().value("SELECT snapshot FROM stock.heartbeat WHERE number = 11"));
}

// Many transactions, some long, some rolled back, some with savepoints: in the end each visible
// version has come exactly once, unless a later one of the same transaction replaced it.
TEST_F(PostgresFeed, at_random_no_gap_and_no_duplicate) {
  begin();
  std::atomic<bool> stop{false};
  std::vector<std::thread> writers;
  for (unsigned seed = 1; seed <= 4; ++seed) {
    writers.emplace_back([&, seed] {
      std::minstd_rand random(seed);
      support::Sql on = primary().connect();
      for (int i = 0; i < 60 && !stop; ++i) {
        on.exec("BEGIN");
        // Locks in order of key, so that there is no deadlock.
        std::set<int> keys;
        for (unsigned n = random() % 4; n > 0; --n) keys.insert(static_cast<int>(random() % 8));
        for (const int key : keys) {
          if (random() % 3 == 0) on.exec("SAVEPOINT s");
          put(on, "R" + std::to_string(key), static_cast<int>(random() % 1000));
        }
        on.exec(random() % 5 == 0 ? "ROLLBACK" : "COMMIT");
      }
    });
  }
  std::map<std::pair<Key, domain::Version>, int> came;
  std::map<Key, domain::Version> last;
  const auto take = [&] {
    const Polled polled = poll(position_);
    position_ = *polled.poll.snapshot;
    for (const feed::Move& move : polled.moves) {
      EXPECT_GT(move.version, last[move.key]) << move.key.sku;
      last[move.key] = move.version;
      ++came[{move.key, move.version}];
    }
  };
  for (int i = 0; i < 200; ++i) take();
  for (std::thread& writer : writers) writer.join();
  take();
  for (const auto& [what, times] : came) EXPECT_EQ(times, 1);
  EXPECT_EQ(static_cast<std::int64_t>(came.size()),
            sql().number("SELECT count(*) FROM (SELECT DISTINCT sku, location, xid FROM "
                         "stock.movement WHERE sku LIKE 'R_') AS visible"));
}

// The leader's record of when transactions became true.
TEST_F(PostgresFeed, commits_are_recorded_with_the_instant_by_which_they_were_seen) {
  Heart heart({.session = options(), .heartbeat_interval = 20ms, .pulse_interval = 50ms},
              world_.knowledge, world_.timers);
  ASSERT_TRUE(eventually([&] { return heart.state().heartbeat; }, ::testing::Gt(0)));
  support::Sql slow = primary().connect();
  slow.exec("BEGIN");
  put(slow, "recorded late", 1);
  put(sql(), "recorded", 1);
  const std::string of = "SELECT count(*) FROM stock.commit JOIN stock.movement USING (xid) WHERE ";
  EXPECT_TRUE(eventually([&] { return sql().number(of + "sku = 'recorded'"); }, ::testing::Eq(1)));
  EXPECT_EQ(sql().number(of + "sku = 'recorded late'"), 0);
  slow.exec("COMMIT");
  EXPECT_TRUE(
      eventually([&] { return sql().number(of + "sku = 'recorded late'"); }, ::testing::Eq(1)));
  EXPECT_EQ(sql().number("SELECT count(*) FROM stock.commit WHERE seen_by < committed_at OR "
                         "committed_at <> pg_xact_commit_timestamp(xid::xid)"),
            0);
  // The heartbeat that is kept with it is the first that shows it.
  const std::string showing =
      "SELECT count(*) FROM stock.commit JOIN stock.heartbeat ON number = heartbeat ";
  EXPECT_EQ(sql().number(showing + "WHERE pg_visible_in_snapshot(xid, snapshot)"),
            sql().number("SELECT count(*) FROM stock.commit"));
  EXPECT_EQ(sql().number("SELECT count(*) FROM stock.commit JOIN stock.heartbeat"
                         " ON number = heartbeat - 1 WHERE pg_visible_in_snapshot(xid, snapshot)"),
            0);
}

}  // namespace
}  // namespace stock::postgres
