#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>
#include <thread>

#include "stock/feed/hub.h"

namespace stock::feed {
namespace {

using domain::Key;
using std::chrono::microseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const Key kA{"A", "main"};
const Key kB{"B", "main"};
const Key kC{"C", "north"};

domain::DatabaseTime at(std::int64_t us) { return domain::DatabaseTime(microseconds(us)); }

Move move_of(const Key& key, domain::Version version) {
  return {.key = key,
          .version = version,
          .exists = true,
          .counts = {.on_hand = version},
          .as_of = at(version),
          .xid = 0};
}

// A hub as the tail drives it, and one subscriber.
class HubTest : public ::testing::Test {
 protected:
  // The feed has begun when this returns.
  void begin() {
    hub_.began();
    advance();
  }
  void advance() {
    ++polls_;
    hub_.advanced({.incarnation = 7, .stamp = at(1000 * polls_)},
                  std::make_shared<const domain::Snapshot>());
  }
  void move(std::vector<Move> moves) { hub_.moved(moves); }
  void poll(std::vector<Move> moves) {
    move(std::move(moves));
    advance();
  }
  Hub::Subscription subscribe(Interest interest) {
    return hub_.subscribe(std::move(interest), [this] { ++woken_; });
  }
  Hub::Subscription watch(std::vector<Key> keys) { return subscribe({.keys = std::move(keys)}); }
  // "A3", or "A3 after 2 more".
  std::vector<std::string> take(Hub::Subscription& from, std::size_t limit = 1000) {
    std::vector<std::string> words;
    for (const Hub::Pending& pending : hub_.take(*from, limit).changes) {
      const Move& move = pending.change->move;
      words.push_back(
          move.key.sku + std::to_string(move.version) +
          (pending.left_out == 0 ? "" : " after " + std::to_string(pending.left_out) + " more"));
    }
    return words;
  }

  Hub hub_{{.queue = 4, .most = 6, .round = 20}};
  int woken_ = 0;
  int polls_ = 0;
};

TEST_F(HubTest, each_is_told_what_it_watches_once_and_in_order) {
  begin();
  auto a = watch({kA});
  auto both = watch({kC, kA});
  auto main = subscribe({.location = "main"});
  poll({move_of(kA, 1), move_of(kA, 2), move_of(kB, 1), move_of(kC, 9)});
  EXPECT_THAT(take(a), ElementsAre("A1", "A2"));
  EXPECT_THAT(take(both), ElementsAre("A1", "A2", "C9"));
  EXPECT_THAT(take(main), ElementsAre("A1", "A2", "B1"));
  EXPECT_THAT(take(main), IsEmpty());
  poll({move_of(kA, 3)});
  EXPECT_THAT(take(a), ElementsAre("A3"));
}

TEST_F(HubTest, a_change_knows_the_number_of_its_key) {
  begin();
  auto both = watch({kC, kA});
  poll({move_of(kA, 1), move_of(kC, 1)});
  const auto taken = hub_.take(*both, 10);
  EXPECT_EQ(taken.changes[0].key, 1u);
  EXPECT_EQ(taken.changes[1].key, 0u);
}

TEST_F(HubTest, changes_appear_together_with_the_watermark_that_covers_them) {
  begin();
  auto a = watch({kA});
  move({move_of(kA, 1)});
  EXPECT_THAT(take(a), IsEmpty());
  EXPECT_EQ(woken_, 0);
  advance();
  EXPECT_EQ(woken_, 1);
  const auto taken = hub_.take(*a, 10);
  EXPECT_EQ(taken.changes.size(), 1u);
  EXPECT_TRUE(taken.drained);
  EXPECT_EQ(taken.position.watermark.stamp, at(2000));
}

TEST_F(HubTest, the_last_version_of_a_poll_is_true_through_its_stamp_and_others_when_committed) {
  begin();
  auto a = watch({kA});
  poll({move_of(kA, 1), move_of(kA, 2)});
  const auto taken = hub_.take(*a, 10);
  EXPECT_EQ(taken.changes[0].change->true_through, at(1));
  EXPECT_EQ(taken.changes[1].change->true_through, at(2000));
}

// The stamp of a poll may be before its snapshot.
TEST_F(HubTest, what_was_committed_after_the_stamp_is_true_when_committed) {
  begin();
  auto a = watch({kA});
  poll({move_of(kA, 5000)});
  EXPECT_EQ(hub_.take(*a, 10).changes[0].change->true_through, at(5000));
}

TEST_F(HubTest, what_a_failed_poll_delivered_comes_once) {
  begin();
  auto a = watch({kA});
  move({move_of(kA, 1), move_of(kA, 2)});
  poll({move_of(kA, 1), move_of(kA, 2), move_of(kA, 3)});
  EXPECT_THAT(take(a), ElementsAre("A1", "A2", "A3"));
}

TEST_F(HubTest, one_that_is_slow_gets_the_newest_of_each_key_and_how_many_were_left_out) {
  begin();
  auto main = subscribe({.location = "main"});
  poll({move_of(kA, 1), move_of(kA, 2), move_of(kA, 3), move_of(kB, 1)});
  poll({move_of(kA, 4), move_of(kB, 2), move_of(kB, 3)});
  EXPECT_THAT(take(main), ElementsAre("A4 after 3 more", "B3 after 2 more"));
  EXPECT_EQ(hub_.stats().conflated, 5u);
  // Having caught up, it is told everything again.
  poll({move_of(kA, 5), move_of(kA, 6)});
  EXPECT_THAT(take(main), ElementsAre("A5", "A6"));
}

TEST_F(HubTest, taking_a_part_leaves_the_rest_in_its_place) {
  begin();
  auto main = subscribe({.location = "main"});
  const Key d{"D", "main"};
  poll({move_of(kA, 1), move_of(kB, 1), move_of(d, 1), move_of(d, 2), move_of(d, 3)});
  auto taken = hub_.take(*main, 1);
  EXPECT_EQ(taken.changes.size(), 1u);
  EXPECT_FALSE(taken.drained);
  poll({move_of(kA, 2), move_of(kB, 2), move_of(d, 4)});
  EXPECT_THAT(take(main, 1), ElementsAre("B2 after 1 more"));
  EXPECT_THAT(take(main, 1), ElementsAre("D4 after 3 more"));
  EXPECT_THAT(take(main, 1), ElementsAre("A2"));
}

TEST_F(HubTest, one_for_whom_too_many_keys_wait_begins_anew) {
  begin();
  auto main = subscribe({.location = "main"});
  auto a = watch({kA});
  std::vector<Move> moves;
  for (int i = 0; i < 7; ++i) moves.push_back(move_of({"K" + std::to_string(i), "main"}, 1));
  poll(moves);
  const auto taken = hub_.take(*main, 100);
  EXPECT_TRUE(taken.lost);
  EXPECT_FALSE(taken.ready);
  EXPECT_FALSE(taken.drained);
  EXPECT_THAT(taken.changes, IsEmpty());
  EXPECT_FALSE(hub_.take(*a, 100).lost);
  auto again = subscribe({.location = "main"});
  poll({move_of(kA, 1)});
  EXPECT_THAT(take(again), ElementsAre("A1"));
  EXPECT_THAT(take(main), IsEmpty());
}

TEST_F(HubTest, a_poll_that_is_too_great_loses_those_it_may_concern) {
  begin();
  auto a = watch({kA});
  auto signalled = subscribe({.everything = true, .signal_only = true});
  std::vector<Move> moves;
  for (int i = 1; i <= 30; ++i) moves.push_back(move_of(kA, i));
  poll(moves);
  EXPECT_TRUE(hub_.take(*a, 100).lost);
  const auto taken = hub_.take(*signalled, 100);
  EXPECT_FALSE(taken.lost);
  EXPECT_TRUE(taken.signalled);
}

TEST_F(HubTest, another_incarnation_voids_what_was_given) {
  begin();
  auto a = watch({kA});
  poll({move_of(kA, 1)});
  hub_.began();
  EXPECT_TRUE(hub_.take(*a, 100).lost);
  auto anew = watch({kA});
  // Of the last minutes: its beginning will show them.
  poll({move_of(kA, 1), move_of(kA, 2)});
  EXPECT_THAT(take(anew), IsEmpty());
  EXPECT_FALSE(hub_.take(*anew, 100).lost);
  poll({move_of(kA, 3)});
  EXPECT_THAT(take(anew), ElementsAre("A3"));
}

// What a subscriber reads from a copy that is true through the position's stamp has to show all
// that it is not given.
TEST_F(HubTest, it_is_ready_after_a_poll_that_was_sent_after_its_beginning) {
  auto early = watch({kA});
  hub_.began();
  EXPECT_FALSE(hub_.take(*early, 1).ready);
  advance();
  EXPECT_FALSE(hub_.take(*early, 1).ready);
  advance();
  EXPECT_TRUE(hub_.take(*early, 1).ready);

  auto later = watch({kA});
  EXPECT_FALSE(hub_.take(*later, 1).ready);
  advance();
  EXPECT_TRUE(hub_.take(*later, 1).ready);

  // The poll that is under way may have passed over a move that nobody watched: its snapshot is the
  // beginning, and the stamp of the next one is later.
  move({move_of(kB, 1)});
  auto between = watch({kB});
  advance();
  EXPECT_FALSE(hub_.take(*between, 1).ready);
  advance();
  EXPECT_TRUE(hub_.take(*between, 1).ready);
}

TEST_F(HubTest, who_waits_is_told_why_the_feed_stands_still_until_it_goes_on) {
  begin();
  auto watch_a = watch({kA});
  EXPECT_TRUE(hub_.take(*watch_a, 0).stall.ok());
  hub_.stalled(absl::UnavailableError("connection refused"));
  EXPECT_EQ(hub_.take(*watch_a, 0).stall.message(), "connection refused");
  advance();
  EXPECT_TRUE(hub_.take(*watch_a, 0).stall.ok());
}

TEST_F(HubTest, it_wakes_once_until_something_is_taken) {
  begin();
  auto a = watch({kA});
  poll({move_of(kA, 1)});
  poll({move_of(kA, 2)});
  EXPECT_EQ(woken_, 1);
  take(a);
  poll({move_of(kA, 3)});
  EXPECT_EQ(woken_, 2);
  take(a);
  advance();
  EXPECT_EQ(woken_, 2);
  hub_.wake_at_next_watermark(*a);
  advance();
  EXPECT_EQ(woken_, 3);
  advance();
  EXPECT_EQ(woken_, 3);
}

TEST_F(HubTest, who_only_wants_a_signal_is_told_that_something_moved) {
  begin();
  auto north = subscribe({.location = "north", .signal_only = true});
  auto all = subscribe({.everything = true, .signal_only = true});
  poll({move_of(kA, 1)});
  EXPECT_FALSE(hub_.take(*north, 1).signalled);
  EXPECT_TRUE(hub_.take(*all, 1).signalled);
  EXPECT_FALSE(hub_.take(*all, 1).signalled);
  poll({move_of(kC, 1)});
  EXPECT_TRUE(hub_.take(*north, 1).signalled);
}

TEST_F(HubTest, who_leaves_is_forgotten) {
  begin();
  auto first = watch({kA, kB});
  auto second = watch({kA});
  hub_.wake_at_next_watermark(*first);
  first.reset();
  EXPECT_EQ(hub_.stats().subscribers, 1u);
  poll({move_of(kA, 1), move_of(kB, 1)});
  EXPECT_THAT(take(second), ElementsAre("A1"));
  second.reset();
  poll({move_of(kA, 2)});
  EXPECT_EQ(hub_.stats().subscribers, 0u);
}

// The tail goes on while subscribers come, take and go: each is given every version of its key from
// some version on, or the newest and how many were left out.
TEST_F(HubTest, subscribers_come_and_go_while_the_ledger_moves) {
  begin();
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      while (!stop) {
        auto a = hub_.subscribe({.keys = {kA}}, [] {});
        domain::Version last = 0;
        for (int i = 0; i < 20; ++i) {
          for (const Hub::Pending& pending : hub_.take(*a, 3).changes) {
            const domain::Version version = pending.change->move.version;
            if (last > 0) {
              EXPECT_EQ(version, last + 1 + pending.left_out);
            }
            last = version;
          }
        }
      }
    });
  }
  for (int i = 1; i <= 3000; ++i) {
    if (i % 7 == 0) move({move_of(kA, i)});  // fails, and comes again
    poll({move_of(kA, i)});
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(hub_.stats().subscribers, 0u);
}

}  // namespace
}  // namespace stock::feed
