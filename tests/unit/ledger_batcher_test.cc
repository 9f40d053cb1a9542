#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <mutex>
#include <thread>
#include <utility>

#include "batcher_world.h"

namespace stock::ledger {
namespace {

using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_F(BatcherTest, a_lone_request_is_applied_at_once) {
  start();
  submit(adjust(1, kTea, -5));
  const Applied answer = applied(0);
  ASSERT_THAT(answer.levels, SizeIs(1));
  EXPECT_EQ(answer.levels[0].key, kTea);
  EXPECT_EQ(answer.levels[0].counts.on_hand, 95);
  EXPECT_EQ(answer.levels[0].version, 2);
  EXPECT_FALSE(answer.replayed);
  EXPECT_EQ(store.on_hand(kTea), 95);
  batcher.reset();
  EXPECT_THAT(observer.decided, ElementsAre(std::pair(1, 1)));
}

TEST_F(BatcherTest, what_is_refused_or_repeated_was_decided_too) {
  start_busy();
  submit(adjust(1, kTea, -101));
  submit(adjust(2, kTea, -1));
  submit(adjust(2, kTea, -1));
  release();
  applied(3);
  submit(adjust(3, kTea, -100));
  refusal(4);
  batcher.reset();
  EXPECT_THAT(observer.decided, ElementsAre(std::pair(1, 1), std::pair(3, 1), std::pair(1, 0)));
}

TEST_F(BatcherTest, what_arrives_during_a_commit_is_the_next_batch_in_order_of_arrival) {
  start_busy();
  submit(adjust(2, kTea, -60));
  submit(adjust(1, kTea, -60));
  submit(adjust(3, kTea, -40));
  EXPECT_EQ(batcher->queue_length(), 3u);
  release();
  EXPECT_EQ(applied(1).levels[0].version, 2);
  EXPECT_EQ(refusal(2).lines[0].shortfall, 20);
  EXPECT_EQ(applied(3).levels[0].version, 3);
  EXPECT_THAT(store.batches(), ElementsAre(ElementsAre(id(255)), ElementsAre(id(2), id(3))));
  EXPECT_THAT(order, ElementsAre(0, 1, 2, 3));
}

TEST_F(BatcherTest, a_batch_closes_when_it_is_full) {
  options.max_requests = 2;
  options.max_lines = 5;
  start_busy();
  Request long_one = adjust(4, kTea, 1);
  long_one.changes.resize(9, Adjust{kTea, 1});
  for (std::uint8_t n = 1; n <= 3; ++n) submit(adjust(n, kTea, -1));
  submit(std::move(long_one));
  submit(adjust(5, kTea, -1));
  release();
  applied(5);
  EXPECT_THAT(store.batches(), ElementsAre(SizeIs(1), SizeIs(2), SizeIs(1), SizeIs(1), SizeIs(1)));
}

TEST_F(BatcherTest, a_repeated_request_is_answered_as_it_was_then) {
  start();
  submit(adjust(1, kTea, -5));
  applied(0);
  submit(adjust(2, kTea, -5));
  applied(1);
  submit(adjust(1, kTea, -5));
  const Applied again = applied(2);
  EXPECT_TRUE(again.replayed);
  ASSERT_THAT(again.levels, SizeIs(1));
  EXPECT_EQ(again.levels[0].version, 2);
  EXPECT_EQ(again.levels[0].counts.on_hand, 95);
  const domain::Transaction original{.incarnation = support::FakeStore::kIncarnation, .xid = 1};
  EXPECT_EQ(again.transaction, original);
  EXPECT_EQ(store.on_hand(kTea), 90);
  EXPECT_THAT(store.batches(), SizeIs(2)) << "there was nothing to commit";
}

TEST_F(BatcherTest, an_id_belongs_to_one_payload) {
  start();
  submit(adjust(1, kTea, -5));
  submit(adjust(1, kTea, -6));
  EXPECT_EQ(refusal(1).reason, Reason::kRequestIdReused);
  EXPECT_EQ(store.on_hand(kTea), 95);
}

TEST_F(BatcherTest, twins_in_one_batch_are_applied_once) {
  start_busy();
  submit(adjust(1, kTea, -5));
  submit(adjust(1, kTea, -5));
  submit(adjust(1, kTea, -7));
  release();
  EXPECT_FALSE(applied(1).replayed);
  EXPECT_TRUE(applied(2).replayed);
  EXPECT_EQ(applied(2).levels[0].version, 2);
  EXPECT_EQ(applied(1).transaction.xid, 2u);
  EXPECT_EQ(applied(2).transaction, applied(1).transaction);
  EXPECT_EQ(refusal(3).reason, Reason::kRequestIdReused);
  EXPECT_EQ(store.on_hand(kTea), 95);
}

TEST_F(BatcherTest, a_refusal_is_not_remembered) {
  start_busy();
  submit(adjust(1, kTea, -105));
  submit(adjust(2, kTea, 10));
  submit(adjust(1, kTea, -105));
  release();
  EXPECT_EQ(refusal(1).reason, Reason::kInsufficientStock);
  EXPECT_FALSE(applied(3).replayed);
  EXPECT_EQ(store.on_hand(kTea), 5);
}

TEST_F(BatcherTest, an_import_that_changes_nothing_is_remembered_all_the_same) {
  start();
  Request import;
  import.id = id(1);
  import.kind = domain::MovementKind::kImport;
  Set set;
  set.key = kTea;
  set.on_hand = 100;
  import.changes.emplace_back(set);
  submit(import);
  EXPECT_THAT(applied(0).levels, IsEmpty());
  submit(adjust(2, kTea, -1));
  submit(import);
  EXPECT_TRUE(applied(2).replayed);
  EXPECT_EQ(store.on_hand(kTea), 99);
}

TEST_F(BatcherTest, one_unacceptable_request_fails_alone) {
  store.poison([](const Request& request) { return request.id == id(2); });
  start_busy();
  for (std::uint8_t n = 1; n <= 3; ++n) submit(adjust(n, kTea, -1));
  release();
  applied(1);
  EXPECT_THAT(refusal(2).message, HasSubstr("poisonous"));
  applied(3);
  EXPECT_EQ(store.on_hand(kTea), 98);
  EXPECT_EQ(observer.count(Retry::kSplit), 1);
}

TEST_F(BatcherTest, a_full_queue_refuses_at_once) {
  options.max_queue = 2;
  start_busy();
  submit(adjust(1, kTea, -1));
  submit(adjust(2, kTea, -1));
  submit(adjust(3, kTea, -1));
  {
    const std::lock_guard lock(mutex);
    ASSERT_THAT(outcomes, SizeIs(1));
  }
  EXPECT_EQ(refusal(3).reason, Reason::kQueueFull);
  release();
  applied(1);
  applied(2);
  EXPECT_EQ(observer.refusals[Reason::kQueueFull], 1);
}

TEST_F(BatcherTest, while_all_wait_for_too_long_only_the_next_batch_may_wait) {
  options.max_requests = 2;
  options.max_queue = 4;
  options.target_wait = milliseconds(10);
  start_busy();
  submit(adjust(1, kTea, -1));
  clock.advance(milliseconds(100));  // in which the one under way did not wait
  submit(adjust(2, kTea, -1));
  EXPECT_EQ(batcher->queue_limit(), 4U);
  clock.advance(milliseconds(100));
  submit(adjust(3, kTea, -1));
  EXPECT_EQ(batcher->queue_limit(), 2U);
  const Refusal refused = refusal(3);
  EXPECT_EQ(refused.reason, Reason::kOverloaded);
  EXPECT_FALSE(refused.unknown);
  release();
  applied(1);
  applied(2);
  // Nobody waits any more.
  clock.advance(milliseconds(200));
  submit(adjust(4, kTea, -1));
  applied(4);
  clock.advance(milliseconds(100));
  submit(adjust(5, kTea, -1));
  applied(5);
  EXPECT_EQ(batcher->queue_limit(), 4U);
}

TEST_F(BatcherTest, who_waited_too_long_in_the_queue_is_not_begun) {
  start_busy();
  submit(adjust(1, kTea, -1), seconds(5));
  submit(adjust(2, kTea, -1), seconds(15));
  clock.advance(seconds(5));
  release();
  EXPECT_EQ(refusal(1).reason, Reason::kDeadline);
  applied(2);
  EXPECT_EQ(store.on_hand(kTea), 99);
}

TEST_F(BatcherTest, who_waits_behind_a_batch_that_does_not_get_through_is_told_in_time) {
  options.max_requests = 1;
  store.fail_forever(Step::kBegin, absl::UnavailableError("refused"));
  start();
  submit(adjust(1, kTea, -1), seconds(60));
  submit(adjust(2, kTea, -1), seconds(5));
  clock.advance(seconds(5));
  EXPECT_EQ(refusal(1).reason, Reason::kDeadline);
  EXPECT_EQ(answered(), 1u);
}

TEST_F(BatcherTest, stopping_finishes_what_was_accepted_and_refuses_the_rest) {
  start_busy();
  submit(adjust(1, kTea, -1));
  std::thread stopper([this] { batcher->stop(clock.now() + seconds(10)); });
  // The first one that is refused shows that stopping has begun; those before were accepted.
  ASSERT_TRUE(eventually([this] {
    submit(adjust(2, kTea, 0));
    const std::lock_guard lock(mutex);
    return outcomes.contains(submitted - 1);
  }));
  EXPECT_EQ(refusal(submitted - 1).reason, Reason::kUnavailable);
  release();
  stopper.join();
  EXPECT_EQ(answered(), submitted);
  applied(1);
}

TEST_F(BatcherTest, stopping_has_a_deadline) {
  options.max_requests = 1;
  store.fail_forever(Step::kBegin, absl::UnavailableError("refused"));
  start();
  submit(adjust(1, kTea, -1), seconds(1000));
  submit(adjust(2, kTea, -1), seconds(1000));
  ASSERT_TRUE(eventually([&] { return observer.count(Retry::kUnreachable); }, Ge(1)));
  const LocalTime deadline = clock.now() + seconds(10);
  std::thread stopper([&] { batcher->stop(deadline); });
  clock.advance(seconds(5));
  EXPECT_EQ(answered(), 0u);
  clock.advance(seconds(5));
  stopper.join();
  EXPECT_EQ(refusal(0).reason, Reason::kUnavailable);
  EXPECT_EQ(refusal(0).message, "this attempt changed nothing: refused");
  EXPECT_EQ(refusal(1).message, "this attempt changed nothing: the service is stopping");
}

}  // namespace
}  // namespace stock::ledger
