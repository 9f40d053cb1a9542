#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "batcher_world.h"

namespace stock::ledger {
namespace {

using ::testing::AllOf;
using ::testing::Eq;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::SizeIs;

TEST_F(BatcherTest, conflicts_are_run_again) {
  store.fail(Step::kWrite, absl::AbortedError("deadlock"));
  store.fail(Step::kCommit, absl::AbortedError("serialization"));
  start();
  submit(adjust(1, kTea, -5));
  EXPECT_FALSE(applied(0).replayed);
  EXPECT_EQ(store.on_hand(kTea), 95);
  EXPECT_EQ(observer.count(Retry::kConflict), 2);
}

TEST_F(BatcherTest, a_database_that_comes_back_in_time_is_not_noticed) {
  for (int i = 0; i < 3; ++i) store.fail(Step::kBegin, absl::UnavailableError("refused"));
  store.fail(Step::kOpen, absl::UnavailableError("gone"));
  start();
  submit(adjust(1, kTea, -5));
  applied(0);
  EXPECT_EQ(store.on_hand(kTea), 95);
  EXPECT_EQ(observer.count(Retry::kUnreachable), 4);
}

TEST_F(BatcherTest, without_a_database_each_request_waits_as_long_as_it_may) {
  store.fail_forever(Step::kBegin, absl::UnavailableError("refused"));
  start();
  submit(adjust(1, kTea, -5), seconds(10));
  submit(adjust(2, kTea, -5), seconds(20));
  ASSERT_TRUE(eventually([&] { return observer.count(Retry::kUnreachable); }, Ge(5)));
  EXPECT_EQ(answered(), 0u);
  clock.advance(seconds(10));
  EXPECT_EQ(refusal(0).reason, Reason::kUnavailable);
  EXPECT_EQ(refusal(0).message, "this attempt changed nothing: refused");
  EXPECT_EQ(answered(), 1u);
  clock.advance(seconds(10));
  // It may have waited behind the other one, without being tried itself.
  EXPECT_THAT(refusal(1).message, HasSubstr("changed nothing"));
}

TEST_F(BatcherTest, a_lost_commit_that_happened_is_found_and_not_repeated) {
  store.fail(Step::kCommit, absl::UnavailableError("gone"), Fate::kHappened);
  start();
  submit(adjust(1, kTea, -5));
  const Applied answer = applied(0);
  EXPECT_EQ(answer.levels[0].version, 2);
  EXPECT_EQ(store.on_hand(kTea), 95);
  EXPECT_THAT(store.batches(), SizeIs(1));
}

TEST_F(BatcherTest, a_lost_commit_that_did_not_happen_is_repeated) {
  store.fail(Step::kCommit, absl::UnavailableError("gone"), Fate::kNothing);
  start();
  submit(adjust(1, kTea, -5));
  EXPECT_FALSE(applied(0).replayed);
  EXPECT_EQ(store.on_hand(kTea), 95);
  EXPECT_EQ(observer.count(Retry::kUnknownCommit), 1);
}

TEST_F(BatcherTest, a_lost_commit_is_unknown_until_the_database_is_back) {
  store.fail(Step::kCommit, absl::UnavailableError("gone"), Fate::kHappened);
  store.fail_forever(Step::kBegin, absl::UnavailableError("refused"));
  start();
  submit(adjust(1, kTea, -5));
  ASSERT_TRUE(eventually([&] { return observer.count(Retry::kUnknownCommit); }, Ge(3)));
  clock.advance(seconds(10));
  EXPECT_EQ(refusal(0).reason, Reason::kUnavailable);
  EXPECT_THAT(refusal(0).message,
              AllOf(HasSubstr("not known whether this was applied"), HasSubstr("same request_id")));
}

TEST_F(BatcherTest, a_ledger_that_may_not_be_used_is_refused_at_once) {
  store.fail(Step::kBegin, absl::FailedPreconditionError("foreign"));
  start();
  submit(adjust(1, kTea, -5));
  EXPECT_EQ(refusal(0).reason, Reason::kLedgerUnfit);
  EXPECT_EQ(refusal(0).message, "this attempt changed nothing: foreign");
}

TEST_F(BatcherTest, what_the_locks_disprove_is_known_not_to_be_applied) {
  store.fail(Step::kCommit, absl::UnavailableError("gone"), Fate::kNothing);
  start();
  store.fail(Step::kWrite, absl::AbortedError("deadlock"));
  store.fail_forever(Step::kBegin, absl::UnavailableError("refused"));
  submit(adjust(1, kTea, -5));
  ASSERT_TRUE(eventually([&] { return observer.count(Retry::kUnreachable); }, Ge(2)));
  clock.advance(seconds(10));
  EXPECT_EQ(refusal(0).message, "this attempt changed nothing: refused");
}

TEST_F(BatcherTest, a_commit_still_in_flight_is_waited_for_under_the_locks) {
  store.fail(Step::kCommit, absl::UnavailableError("gone"), Fate::kInFlight);
  start();
  submit(adjust(1, kTea, -100));
  EXPECT_TRUE(applied(0).replayed);
  EXPECT_EQ(store.on_hand(kTea), 0);
  EXPECT_THAT(store.batches(), SizeIs(1));
}

TEST_F(BatcherTest, a_commit_still_in_flight_on_new_keys_is_met_at_the_unique_key) {
  store.fail(Step::kCommit, absl::UnavailableError("gone"), Fate::kInFlight);
  start();
  submit(adjust(1, kCoffee, 5));
  EXPECT_EQ(applied(0).levels[0].version, 1);
  EXPECT_EQ(store.on_hand(kCoffee), 5);
  EXPECT_EQ(observer.count(Retry::kConflict), 1);
}

// Two are in a commit that was lost and happens later. The first runs out of time; the second,
// decided again without it, has nothing to take from: but there is no lock to believe that by.
TEST_F(BatcherTest, a_refusal_without_a_lock_proves_nothing_about_a_commit_in_flight) {
  const Key sugar{"SUGAR", "berlin"};
  store.before_commit([this, commits = 0]() mutable {
    if (++commits == 1) return hold.pass();
    store.fail(Step::kCommit, absl::UnavailableError("gone"), Fate::kInFlight);
    clock.advance(seconds(5));
  });
  start();
  submit(adjust(9, kTea, -1));
  hold.await_visitor();
  submit(adjust(1, sugar, 5), seconds(5));
  submit(adjust(2, sugar, -5), seconds(20));
  release();
  EXPECT_THAT(refusal(1).message, HasSubstr("not known"));
  ASSERT_TRUE(eventually([&] { return observer.count(Retry::kUnknownCommit); }, Ge(4)));
  EXPECT_EQ(answered(), 2u);
  store.land();
  EXPECT_TRUE(applied(2).replayed);
  EXPECT_EQ(store.on_hand(sugar), 0);
}

TEST_F(BatcherTest, who_keeps_a_level_locked_holds_up_only_those_who_need_it) {
  store.put(kCoffee, {.on_hand = 100}, 1);
  store.keep_locked(kTea, 7);
  start_busy();
  submit(adjust(1, kTea, -1));
  submit(adjust(2, kCoffee, -1));
  submit(adjust(3, kTea, -1));
  release();
  applied(2);
  EXPECT_EQ(observer.count(Retry::kLocked), 1);
  // More of them come all the time, and are looked at all the time.
  for (std::uint8_t n = 4; n < 20; n += 2) {
    clock.advance(options.look_interval);
    submit(adjust(n, kTea, -1));
    const std::uint8_t other = n + 1;
    submit(adjust(other, kCoffee, -1));
    applied(other);
  }
  EXPECT_EQ(store.vain_waits(), 1);
  EXPECT_EQ(store.on_hand(kTea), 100);
  store.let_go(kTea);
  clock.advance(options.look_interval);
  for (std::size_t n = 4; n < 20; n += 2) EXPECT_EQ(applied(n).levels[0].version, n / 2 + 2);
  EXPECT_EQ(applied(1).levels[0].version, 2) << "in order of arrival";
  EXPECT_EQ(applied(3).levels[0].version, 3);
  EXPECT_EQ(store.vain_waits(), 1);
}

TEST_F(BatcherTest, a_reservation_on_a_level_that_is_kept_locked_waits_too) {
  store.put(kCoffee, {.on_hand = 100}, 1);
  start();
  Request create = reserve(1, {{kTea, 4}, {kCoffee, 1}});
  submit(create);
  applied(0);
  store.keep_locked(kTea, 7);
  submit(on_reservation(2, create.id, Commit{}));
  ASSERT_TRUE(eventually([&] { return store.vain_waits(); }, Eq(1)));
  submit(on_reservation(3, create.id, Release{}));
  submit(adjust(4, kCoffee, -1));
  applied(3);
  EXPECT_EQ(store.vain_waits(), 1);
  store.let_go(kTea);
  clock.advance(options.look_interval);
  applied(1);
  applied(2);
}

// As between two lanes that write the same key again and again: whoever waits has a turn.
TEST_F(BatcherTest, a_level_that_has_changed_hands_is_waited_for_again) {
  store.keep_locked(kTea, 7);
  start();
  submit(adjust(1, kTea, -1));
  ASSERT_TRUE(eventually([&] { return store.vain_waits(); }, Eq(1)));
  store.keep_locked(kTea, 8);
  clock.advance(options.look_interval);
  ASSERT_TRUE(eventually([&] { return store.vain_waits(); }, Eq(2)));
  store.let_go(kTea);
  clock.advance(options.look_interval);
  applied(0);
}

TEST_F(BatcherTest, what_waits_for_a_level_that_is_kept_locked_is_bounded_and_answered_in_time) {
  options.max_queue = 2;
  store.put(kCoffee, {.on_hand = 100}, 1);
  store.keep_locked(kTea, 7);
  start();
  for (std::uint8_t n = 1; n <= 3; ++n) {
    submit(adjust(n, kTea, -1), seconds(5));
    submit(adjust(10 + n, kCoffee, -1), seconds(5));
    applied(submitted - 1);
  }
  EXPECT_EQ(refusal(4).reason, Reason::kQueueFull);
  EXPECT_EQ(answered(), 4u);
  clock.advance(seconds(5));
  EXPECT_EQ(refusal(0).reason, Reason::kDeadline);
  EXPECT_EQ(refusal(2).message,
            "this attempt changed nothing: the deadline has passed; somebody else keeps TEA at "
            "berlin locked");
  submit(adjust(4, kTea, -1));
  const LocalTime deadline = clock.now() + seconds(1);
  std::thread stopper([&] { batcher->stop(deadline); });
  clock.advance(seconds(1));
  stopper.join();
  EXPECT_EQ(refusal(6).reason, Reason::kUnavailable);
  EXPECT_EQ(store.vain_waits(), 1);
}

}  // namespace
}  // namespace stock::ledger
