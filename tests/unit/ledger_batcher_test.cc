#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "stock/ledger/batcher.h"
#include "support/eventually.h"
#include "support/fake_store.h"
#include "support/manual_clock.h"

namespace stock::ledger {
namespace {

using domain::Key;
using domain::LocalTime;
using domain::Uuid;
using std::chrono::milliseconds;
using std::chrono::seconds;
using support::eventually;
using support::FakeStore;
using support::ManualClock;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using Step = FakeStore::Step;
using Fate = FakeStore::Fate;

const Key kTea{"TEA", "berlin"};
const Key kCoffee{"COFFEE", "berlin"};

Uuid id(std::uint8_t n) { return Uuid{n}; }

Request adjust(std::uint8_t n, const Key& key, std::int64_t delta) {
  Request request;
  request.id = id(n);
  request.digest = {static_cast<std::uint8_t>(delta)};
  request.changes.emplace_back(Adjust{key, delta});
  return request;
}

// Closed until it is opened; knows whether somebody waits.
class Gate {
 public:
  void pass() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
    --waiting_;
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void await_visitor() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_ > 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int waiting_ = 0;
  bool open_ = false;
};

class Counting final : public Observer {
 public:
  void batch_committed(std::size_t requests, std::size_t movements,
                       std::chrono::nanoseconds) override {
    const std::lock_guard lock(mutex_);
    committed.emplace_back(requests, movements);
  }
  void refused(Reason reason) override {
    const std::lock_guard lock(mutex_);
    ++refusals[reason];
  }
  void retried(Retry retry) override {
    const std::lock_guard lock(mutex_);
    ++retries[retry];
  }
  int count(Retry retry) {
    const std::lock_guard lock(mutex_);
    return retries[retry];
  }

  std::mutex mutex_;
  std::vector<std::pair<std::size_t, std::size_t>> committed;
  std::map<Reason, int> refusals;
  std::map<Retry, int> retries;
};

class BatcherTest : public ::testing::Test {
 protected:
  BatcherTest() {
    store.put(kTea, {.on_hand = 100}, 1);
    options.min_backoff = milliseconds(1);
    options.max_backoff = milliseconds(2);
  }
  ~BatcherTest() override { hold.open(); }

  void start() { batcher.emplace(options, store, clock, observer); }

  // Until release(), the batcher's thread stays in the commit of a first request, so that what is
  // submitted meanwhile becomes one batch.
  void start_busy() {
    store.before_commit([this] { hold.pass(); });
    start();
    submit(adjust(255, {"CUP", "berlin"}, 1));
    hold.await_visitor();
  }
  void release() { hold.open(); }

  void submit(Request request, seconds patience = seconds(10)) {
    const std::size_t place = submitted++;
    batcher->submit(std::move(request), clock.now() + patience, [this, place](Outcome outcome) {
      const std::lock_guard lock(mutex);
      EXPECT_FALSE(outcomes.contains(place)) << "answered twice";
      outcomes[place] = std::move(outcome);
      order.push_back(place);
    });
  }

  // The answer to the n-th request submitted, from 0.
  Outcome outcome(std::size_t n) {
    EXPECT_TRUE(eventually([&] {
      const std::lock_guard lock(mutex);
      return outcomes.contains(n);
    }));
    const std::lock_guard lock(mutex);
    return outcomes[n];
  }
  std::size_t answered() {
    const std::lock_guard lock(mutex);
    return outcomes.size();
  }
  Applied applied(std::size_t n) {
    const Outcome answer = outcome(n);
    if (const auto* refusal = std::get_if<Refusal>(&answer)) {
      ADD_FAILURE() << reason_name(refusal->reason) << ": " << refusal->message;
      return {};
    }
    return std::get<Applied>(answer);
  }
  Refusal refusal(std::size_t n) {
    const Outcome answer = outcome(n);
    if (!std::holds_alternative<Refusal>(answer)) {
      ADD_FAILURE() << "it was applied";
      return {};
    }
    return std::get<Refusal>(answer);
  }

  FakeStore store;
  ManualClock clock;
  Counting observer;
  Gate hold;
  std::mutex mutex;
  std::map<std::size_t, Outcome> outcomes;
  std::vector<std::size_t> order;
  std::size_t submitted = 0;
  Batcher::Options options;
  std::optional<Batcher> batcher;  // last, so that it stops first
};

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
  EXPECT_THAT(observer.committed, ElementsAre(std::pair(1, 1)));
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

TEST_F(BatcherTest, conflicts_are_run_again) {
  store.fail(Step::kPersist, absl::AbortedError("deadlock"));
  store.fail(Step::kCommit, absl::AbortedError("serialization"));
  start();
  submit(adjust(1, kTea, -5));
  EXPECT_FALSE(applied(0).replayed);
  EXPECT_EQ(store.on_hand(kTea), 95);
  EXPECT_EQ(observer.count(Retry::kConflict), 2);
}

TEST_F(BatcherTest, a_database_that_comes_back_in_time_is_not_noticed) {
  for (int i = 0; i < 3; ++i) store.fail(Step::kBegin, absl::UnavailableError("refused"));
  store.fail(Step::kLock, absl::UnavailableError("gone"));
  store.fail(Step::kRemembered, absl::UnavailableError("gone"));
  store.fail(Step::kPersist, absl::UnavailableError("gone"));
  start();
  submit(adjust(1, kTea, -5));
  applied(0);
  EXPECT_EQ(store.on_hand(kTea), 95);
  EXPECT_EQ(observer.count(Retry::kUnreachable), 6);
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

TEST_F(BatcherTest, what_the_locks_disprove_is_known_not_to_be_applied) {
  store.fail(Step::kCommit, absl::UnavailableError("gone"), Fate::kNothing);
  start();
  store.fail(Step::kPersist, absl::UnavailableError("gone"));
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
