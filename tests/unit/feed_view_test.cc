#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "stock/feed/view.h"
#include "stock/memory/memory_layer.h"
#include "support/recorded.h"

namespace stock::feed {
namespace {

using domain::DatabaseTime;
using domain::Key;
using domain::Reading;
using std::chrono::microseconds;

constexpr domain::Incarnation kIncarnation = 7;
const Key kA{"A", "main"};
const Key kB{"B", "main"};

DatabaseTime at(std::int64_t us) { return DatabaseTime(microseconds(us)); }

Reading copy(domain::Version version, std::int64_t stamp, domain::HeartbeatNumber n) {
  return {.exists = true,
          .version = version,
          .as_of = {},
          .true_through = at(stamp),
          .incarnation = kIncarnation,
          .heartbeat = n};
}

void publish(View& view, std::int64_t stamp, domain::HeartbeatNumber heartbeat,
             const char* snapshot = "100:100:", domain::Incarnation incarnation = kIncarnation) {
  auto parsed = std::make_shared<const domain::Snapshot>(*domain::Snapshot::parse(snapshot));
  view.publish({.incarnation = incarnation,
                .stamp = at(stamp),
                .confirmed_at = domain::LocalTime(microseconds(stamp)),
                .heartbeat = heartbeat,
                .xmin = parsed->xmin(),
                .xmax = parsed->xmax()},
               parsed);
}

class ViewTest : public ::testing::Test {
 protected:
  ViewTest() {
    view_.begin();
    view_.open(kIncarnation, 10);
    publish(view_, 1000, 20);
  }
  View view_{1024};
};

TEST_F(ViewTest, what_has_not_moved_is_true_through_the_watermark) {
  Reading reading = copy(3, 500, 12);
  EXPECT_EQ(view_.judge(view_.now(), fingerprint(kA), reading), Standing::kCurrent);
  EXPECT_EQ(reading.true_through, at(1000));
  EXPECT_EQ(reading.confirmed_at, domain::LocalTime(microseconds(1000)));
}

TEST_F(ViewTest, a_copy_that_is_newer_than_the_watermark_keeps_its_date) {
  Reading reading = copy(3, 1500, 21);
  EXPECT_EQ(view_.judge(view_.now(), fingerprint(kA), reading), Standing::kCurrent);
  EXPECT_EQ(reading.true_through, at(1500));
  EXPECT_EQ(reading.confirmed_at, domain::LocalTime());
}

TEST_F(ViewTest, what_has_moved_is_superseded_and_its_newest_version_is_not) {
  support::record(view_, kA, 4, 22);
  Reading old = copy(3, 500, 12);
  EXPECT_EQ(view_.judge(view_.now(), fingerprint(kA), old), Standing::kSuperseded);
  EXPECT_EQ(old.true_through, at(500));
  Reading newest = copy(4, 500, 12);
  EXPECT_EQ(view_.judge(view_.now(), fingerprint(kA), newest), Standing::kCurrent);
}

TEST_F(ViewTest, a_move_that_comes_again_changes_nothing) {
  support::record(view_, kA, 5, 22);
  support::record(view_, kA, 4, 22);
  Reading reading = copy(4, 500, 25);
  EXPECT_EQ(view_.judge(view_.now(), fingerprint(kA), reading), Standing::kSuperseded);
}

TEST_F(ViewTest, a_copy_from_before_the_table_begins_has_its_own_date) {
  Reading reading = copy(3, 500, 9);
  EXPECT_EQ(view_.judge(view_.now(), fingerprint(kA), reading), Standing::kOwnDate);
  EXPECT_EQ(reading.true_through, at(500));
}

TEST(View, where_another_key_moved_only_later_copies_are_current) {
  View view(1);
  view.begin();
  view.open(kIncarnation, 10);
  support::record(view, kB, 9, 22);
  publish(view, 1000, 20);
  Reading before = copy(3, 500, 21);
  EXPECT_EQ(view.judge(view.now(), fingerprint(kA), before), Standing::kOwnDate);
  Reading after = copy(3, 500, 22);
  EXPECT_EQ(view.judge(view.now(), fingerprint(kA), after), Standing::kCurrent);
}

// They share eight slots, and of each slot's keys the one that moved last is known.
TEST(View, the_moves_of_one_answer_count_in_their_order) {
  View view(8);
  view.begin();
  view.open(kIncarnation, 10);
  std::vector<Move> moves;
  std::map<std::uint64_t, Key> last;
  for (int n = 0; n < 100; ++n) {
    const Key key{.sku = std::to_string(n % 60), .location = "main"};
    moves.push_back({.key = key, .version = 2 + n / 60});
    last[fingerprint(key).low % 8] = key;
  }
  view.record(moves, 22);
  publish(view, 1000, 20);
  for (int n = 0; n < 60; ++n) {
    const Key& key = moves[n].key;
    const bool known = last[fingerprint(key).low % 8] == key;
    const domain::Version newest = n < 40 ? 3 : 2;
    Reading old = copy(newest - 1, 500, 21);
    EXPECT_EQ(view.judge(view.now(), fingerprint(key), old),
              known ? Standing::kSuperseded : Standing::kOwnDate);
    Reading read = copy(newest, 500, 21);
    EXPECT_EQ(view.judge(view.now(), fingerprint(key), read),
              known ? Standing::kCurrent : Standing::kOwnDate);
  }
}

TEST(View, how_long_a_slot_lasts_never_falls) {
  View view(1);
  view.begin();
  view.open(kIncarnation, 10);
  support::record(view, kB, 9, 30);
  support::record(view, kA, 2, 25);
  publish(view, 1000, 20);
  Reading reading = copy(9, 500, 29);
  EXPECT_EQ(view.judge(view.now(), fingerprint(kB), reading), Standing::kOwnDate);
}

TEST_F(ViewTest, of_another_incarnation_nothing_is_known) {
  Reading reading = copy(3, 500, 12);
  reading.incarnation = 8;
  EXPECT_EQ(view_.judge(view_.now(), fingerprint(kA), reading), Standing::kOwnDate);
  EXPECT_FALSE(view_.admits(kA, reading));
}

TEST_F(ViewTest, beginning_anew_forgets_everything) {
  support::record(view_, kA, 4, 22);
  view_.begin();
  Reading reading = copy(3, 500, 50);
  EXPECT_EQ(view_.judge(view_.now(), fingerprint(kA), reading), Standing::kOwnDate);
  EXPECT_FALSE(view_.admits(kA, reading));
  EXPECT_FALSE(view_.shows({kIncarnation, 5}));
  view_.open(kIncarnation, 40);
  publish(view_, 2000, 60);
  EXPECT_EQ(view_.judge(view_.now(), fingerprint(kA), reading), Standing::kCurrent);
}

TEST_F(ViewTest, a_moment_sees_the_moves_that_come_after_it) {
  const View::Moment moment = view_.now();
  support::record(view_, kA, 4, 22);
  Reading reading = copy(3, 500, 12);
  EXPECT_EQ(view_.judge(moment, fingerprint(kA), reading), Standing::kSuperseded);
}

TEST_F(ViewTest, by_a_moment_from_before_the_table_was_emptied_nothing_is_current) {
  const View::Moment moment = view_.now();
  view_.begin();
  view_.open(kIncarnation, 10);
  publish(view_, 2000, 60);
  Reading reading = copy(3, 500, 50);
  EXPECT_EQ(view_.judge(moment, fingerprint(kA), reading), Standing::kOwnDate);
  EXPECT_EQ(reading.true_through, at(500));
}

TEST_F(ViewTest, renewing_takes_stamp_and_heartbeat_of_one_watermark) {
  Reading reading = copy(3, 500, 12);
  EXPECT_TRUE(view_.renew(kA, reading));
  EXPECT_EQ(reading.heartbeat, 20);
  EXPECT_EQ(reading.true_through, at(1000));
  Reading newer = copy(3, 1500, 12);
  EXPECT_FALSE(view_.renew(kA, newer));
  support::record(view_, kA, 4, 22);
  Reading superseded = copy(3, 500, 12);
  EXPECT_FALSE(view_.renew(kA, superseded));
  EXPECT_EQ(superseded.heartbeat, 12);
}

TEST_F(ViewTest, shows_the_transactions_of_its_snapshot) {
  publish(view_, 1000, 20, "100:110:100,105");
  EXPECT_TRUE(view_.shows({kIncarnation, 99}));
  EXPECT_FALSE(view_.shows({kIncarnation, 100}));
  EXPECT_TRUE(view_.shows({kIncarnation, 101}));
  EXPECT_FALSE(view_.shows({kIncarnation, 110}));
  EXPECT_FALSE(view_.shows({8, 99}));
}

TEST(View, without_a_feed_every_copy_has_its_own_date) {
  const View view(0);
  Reading reading = copy(3, 500, 12);
  EXPECT_EQ(view.judge(view.now(), fingerprint(kA), reading), Standing::kOwnDate);
  EXPECT_TRUE(view.admits(kA, reading));
  EXPECT_FALSE(view.shows({kIncarnation, 1}));
}

// One thread applies moves of a key, in the order of the feed; others read it from memory, and put
// old copies back. Truth: version v was made at tick 2v, and every watermark is published at an odd
// tick. An answer that claims more than that fails.
TEST(FeedAndMemory, readers_that_race_with_the_feed_are_never_told_too_much) {
  constexpr domain::Version kVersions = 20'000;
  constexpr int kReaders = 3;
  View view(64);
  memory::MemoryLayer memory({.capacity = 16}, view);
  view.begin();
  view.open(kIncarnation, 1);
  publish(view, 1, 1);
  std::atomic<bool> stop{false};
  std::atomic<int> claims{0};
  std::atomic<int> wrong{0};

  const std::vector<Key> first_key{kA};
  const std::vector<Reading> first{copy(0, 1, 1)};
  memory.offer(first_key, first);

  std::vector<std::thread> readers;
  for (int i = 0; i < kReaders; ++i) {
    readers.emplace_back([&] {
      const std::vector<Key> keys{kA};
      Reading last = copy(0, 1, 1);
      while (!stop) {
        std::vector<layers::Answer> answers(1);
        memory.read(keys, answers, {}, [](const std::string&) {});
        if (answers[0].found()) {
          const Reading& reading = answers[0].reading;
          ++claims;
          // Its successor was made at 2(v + 1).
          if (reading.true_through >= at(2 * (reading.version + 1))) ++wrong;
          last = reading;
          last.true_through = at(2 * reading.version);
        }
        // A late fill: what was read some time ago, with its date of then.
        const std::vector<Reading> late{last};
        memory.offer(keys, late);
      }
    });
  }
  for (domain::Version v = 1; v <= kVersions; ++v) {
    const Move move{.key = kA, .version = v, .exists = true, .counts = {}, .as_of = at(2 * v)};
    support::record(view, kA, v, v + 2);
    memory.moved({&move, 1});
    publish(view, 2 * v + 1, v);
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(claims, 1000);
}

}  // namespace
}  // namespace stock::feed
