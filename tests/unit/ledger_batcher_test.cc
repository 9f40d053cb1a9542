#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
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
using ::testing::Eq;
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

Request on_reservation(std::uint8_t number, const domain::Uuid& reservation,
                       decltype(Action::what) what) {
  Request request = adjust(number, kTea, 0);
  request.changes.clear();
  request.action = Action{.reservation = reservation, .expected_revision = {}, .what = {}};
  request.action->what = std::move(what);
  return request;
}

Request reserve(std::uint8_t number, std::vector<Line> lines) {
  return on_reservation(number, id(number), Reserve{.lines = std::move(lines), .ttl = seconds(60)});
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
  void waited(std::chrono::nanoseconds) override {}
  void batch_decided(const Plan& plan, std::chrono::nanoseconds) override {
    const std::lock_guard lock(mutex_);
    decided.emplace_back(plan.outcomes.size(), plan.movements.size());
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
  std::vector<std::pair<std::size_t, std::size_t>> decided;
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

// What was announced.
class Hearing final : public Announcer {
 public:
  [[nodiscard]] Seen seen() const override { return {incarnation, heartbeat}; }
  void committed(std::span<const Key> keys, std::span<const domain::Reading> levels) override {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < keys.size(); ++i) news_[keys[i]] = levels[i];
  }
  std::map<Key, domain::Reading> news() {
    const std::lock_guard lock(mutex_);
    return news_;
  }

  std::atomic<domain::Incarnation> incarnation = FakeStore::kIncarnation;
  std::atomic<domain::HeartbeatNumber> heartbeat = 12;

 private:
  std::mutex mutex_;
  std::map<Key, domain::Reading> news_;
};

TEST_F(BatcherTest, what_was_committed_is_announced_as_of_its_commit) {
  Hearing hearing;
  store.set_now(domain::DatabaseTime(std::chrono::hours(7)));
  batcher.emplace(options, store, clock, observer, &hearing);
  submit(adjust(1, kTea, -3));
  ASSERT_TRUE(eventually([&] { return hearing.news().size() == 1; }));
  const domain::Reading level = hearing.news()[kTea];
  EXPECT_TRUE(level.exists);
  EXPECT_EQ(level.version, 2);
  EXPECT_EQ(level.counts.on_hand, 97);
  EXPECT_EQ(level.as_of, domain::DatabaseTime(std::chrono::hours(7)));
  EXPECT_EQ(level.true_through, level.as_of);
  EXPECT_EQ(level.incarnation, FakeStore::kIncarnation);
  EXPECT_EQ(level.heartbeat, 12) << "that was seen before the transaction";
  batcher->stop(clock.now());
}

TEST_F(BatcherTest, nothing_is_announced_by_who_has_seen_no_heartbeat_nor_what_was_refused) {
  Hearing hearing;
  hearing.heartbeat = 0;
  batcher.emplace(options, store, clock, observer, &hearing);
  submit(adjust(1, kTea, -3));
  applied(0);
  hearing.heartbeat = 1;
  submit(adjust(2, kTea, -300));
  refusal(1);
  batcher->stop(clock.now());
  EXPECT_THAT(hearing.news(), IsEmpty());
}

// The interleaving: the feed of the former primary has seen heartbeat 12; another one, whose
// heartbeats count from another number, takes its place; the transaction is committed there.
TEST_F(BatcherTest, what_another_history_took_is_not_announced_by_the_heartbeats_of_the_former) {
  Hearing hearing;
  hearing.incarnation = FakeStore::kIncarnation - 1;
  batcher.emplace(options, store, clock, observer, &hearing);
  submit(adjust(1, kTea, -3));
  applied(0);
  batcher->stop(clock.now());
  EXPECT_THAT(hearing.news(), IsEmpty());
}

// A version that its own transaction replaced was never true.
TEST_F(BatcherTest, of_a_batch_only_the_last_version_of_a_key_is_announced) {
  Hearing hearing;
  store.before_commit([this] { hold.pass(); });
  batcher.emplace(options, store, clock, observer, &hearing);
  submit(adjust(255, {"CUP", "berlin"}, 1));
  hold.await_visitor();
  submit(adjust(1, kTea, -3));
  Set counted;
  counted.key = kTea;
  counted.on_hand = 5;
  Request import{.id = adjust(2, kTea, 0).id, .digest = {}, .kind = domain::MovementKind::kImport};
  import.changes.emplace_back(counted);
  submit(import);
  submit(adjust(3, {"CUP", "berlin"}, 1));
  submit(adjust(4, {"CUP", "berlin"}, 1));
  release();
  applied(4);
  batcher->stop(clock.now());
  ASSERT_EQ(store.batches().size(), 2u) << "they went together";
  EXPECT_FALSE(hearing.news().contains(kTea)) << "what an import left is not announced";
  EXPECT_EQ((hearing.news()[{"CUP", "berlin"}].version), 3);
}

TEST_F(BatcherTest, a_reservation_goes_its_way_batch_by_batch) {
  start();
  Request create = reserve(1, {{kTea, 4}});
  submit(create);
  ASSERT_TRUE(applied(0).reservation);
  submit(on_reservation(2, create.id, Commit{}));
  EXPECT_EQ(applied(1).reservation->state, domain::ReservationState::kCommitted);
  submit(on_reservation(2, create.id, Commit{}));
  EXPECT_TRUE(applied(2).replayed);
  submit(create);
  EXPECT_TRUE(applied(3).replayed);
  EXPECT_EQ(applied(3).reservation->state, domain::ReservationState::kCommitted);
  submit(on_reservation(3, create.id, Fulfill{}));
  applied(4);
  EXPECT_EQ(store.counts(kTea), (domain::Counts{.on_hand = 96}));
}

TEST_F(BatcherTest, a_hold_is_announced_with_its_end_and_its_release_without_one) {
  Hearing hearing;
  store.set_now(domain::DatabaseTime(std::chrono::hours(7)));
  batcher.emplace(options, store, clock, observer, &hearing);
  Request create = reserve(1, {{kTea, 4}});
  submit(create);
  ASSERT_TRUE(eventually([&] { return hearing.news()[kTea].version == 2; }));
  EXPECT_EQ(hearing.news()[kTea].earliest_expiry,
            domain::DatabaseTime(std::chrono::hours(7) + seconds(60)));
  submit(on_reservation(2, create.id, Release{}));
  ASSERT_TRUE(eventually([&] { return hearing.news()[kTea].version == 3; }));
  EXPECT_EQ(hearing.news()[kTea].earliest_expiry, domain::DatabaseTime{});
  batcher->stop(clock.now());
}

// How many lines a reservation has that is only named, nobody knows before the batch has been
// formed.
TEST_F(BatcherTest, a_batch_of_reservations_with_too_many_lines_is_halved) {
  options.max_lines = 4;
  std::vector<Line> lines;
  for (int line = 0; line < 4; ++line) {
    lines.push_back({{"SKU" + std::to_string(line), "berlin"}, 1});
    store.put(lines.back().key, {.on_hand = 100}, 1);
  }
  start();
  for (int i = 0; i < 4; ++i) {
    Request create = on_reservation(static_cast<std::uint8_t>(10 + i), {},
                                    Reserve{.lines = lines, .ttl = seconds(60)});
    create.action->reservation = create.id;
    submit(create);
    applied(static_cast<std::size_t>(i));
  }
  const std::size_t before = store.batches().size();
  store.fail(FakeStore::Step::kBegin, absl::UnavailableError("not yet"));  // until all four wait
  for (int i = 0; i < 4; ++i) {
    submit(on_reservation(static_cast<std::uint8_t>(20 + i),
                          on_reservation(static_cast<std::uint8_t>(10 + i), {}, Commit{}).id,
                          Commit{}));
  }
  for (std::size_t i = 4; i < 8; ++i) applied(i);
  for (const FakeStore::Batch& batch : store.batches()) EXPECT_LE(batch.size(), 2u);
  EXPECT_GE(store.batches().size(), before + 2);
}

TEST_F(BatcherTest, a_commit_that_was_lost_and_happened_is_a_reservation_made_once) {
  start();
  store.fail(FakeStore::Step::kCommit, absl::UnavailableError("lost"), FakeStore::Fate::kHappened);
  Request create = reserve(1, {{kTea, 4}});
  submit(create);
  EXPECT_TRUE(applied(0).replayed);
  EXPECT_EQ(store.counts(kTea).reserved, 4);
}

// More have ended than one transaction gives back.
TEST_F(BatcherTest, nobody_is_refused_what_holds_that_are_over_have_yet_to_give_back) {
  store.limit_due(2);
  start();
  for (std::uint8_t n = 1; n <= 5; ++n) {
    submit(reserve(n, {{kTea, 20}}));
    applied(submitted - 1);
  }
  store.set_now(domain::DatabaseTime(std::chrono::hours(2)));
  submit(reserve(6, {{kTea, 95}}));
  applied(5);
  Request partial = reserve(7, {{kTea, 20}});
  std::get<Reserve>(partial.action->what).allow_partial = true;
  submit(partial);
  EXPECT_EQ(applied(6).reservation->lines[0].quantity, 5);
  submit(reserve(8, {{kTea, 1}}));
  EXPECT_EQ(refusal(7).reason, Reason::kInsufficientStock);
  EXPECT_EQ(store.counts(kTea).reserved, 100);
}

TEST_F(BatcherTest, a_partial_hold_takes_all_that_holds_that_are_over_give_back) {
  store.limit_due(2);
  start();
  for (std::uint8_t n = 1; n <= 5; ++n) {
    submit(reserve(n, {{kTea, 20}}));
    applied(submitted - 1);
  }
  store.set_now(domain::DatabaseTime(std::chrono::hours(2)));
  Request partial = reserve(6, {{kTea, 120}});
  std::get<Reserve>(partial.action->what).allow_partial = true;
  submit(partial);
  EXPECT_EQ(applied(5).reservation->lines[0].quantity, 100);
}

// As after an UPDATE by hand, and whatever came then.
TEST_F(BatcherTest, a_sweep_ends_a_hold_of_which_the_level_knows_nothing) {
  start();
  const Request create = reserve(1, {{kTea, 4}});
  submit(create);
  applied(0);
  store.put(kTea, {.on_hand = 100}, 3);
  store.set_now(domain::DatabaseTime(std::chrono::hours(2)));
  submit(on_reservation(2, create.id, Expire{}));
  EXPECT_EQ(applied(1).reservation->state, domain::ReservationState::kExpired);
  EXPECT_EQ(store.reservation(create.id)->state, domain::ReservationState::kExpired);
  EXPECT_EQ(store.counts(kTea), (domain::Counts{.on_hand = 100}));
}

TEST_F(BatcherTest, holds_that_are_over_are_given_back_by_whoever_comes_next) {
  start();
  Request create = reserve(1, {{kTea, 100}});
  submit(create);
  applied(0);
  store.set_now(domain::DatabaseTime(std::chrono::hours(2)));
  Request next = reserve(2, {{kTea, 100}});
  submit(next);
  applied(1);
  EXPECT_EQ(store.counts(kTea).reserved, 100);
  EXPECT_EQ(store.reservation(create.id)->state, domain::ReservationState::kExpired);
}

}  // namespace
}  // namespace stock::ledger
