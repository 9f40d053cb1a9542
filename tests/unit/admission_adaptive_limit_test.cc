#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <initializer_list>

#include "stock/admission/adaptive_limit.h"

namespace stock::admission {
namespace {

using domain::LocalTime;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr std::size_t kBatch = 100;
constexpr milliseconds kTarget{50};

AdaptiveLimit::Options options() {
  return {
      .target = kTarget, .interval = milliseconds(100), .floor = kBatch, .ceiling = 10 * kBatch};
}

// A backend that takes batches, one after the other, and who waits for it.
class Queue {
 public:
  explicit Queue(milliseconds batch_time) : batch_time_(batch_time) {}

  struct Seen {
    std::size_t served = 0;
    std::size_t refused = 0;
    nanoseconds longest{0};  // wait of one that was taken
    std::size_t lowest_limit = 10 * kBatch;
    std::size_t highest_limit = 0;
  };

  // So many requests per millisecond for so long.
  Seen run(milliseconds duration, std::size_t rate) {
    Seen seen;
    for (const LocalTime end = now_ + duration; now_ < end; now_ += milliseconds(1)) {
      if (now_ >= free_at_ && !waiting_.empty()) take(seen);
      for (std::size_t i = 0; i < rate; ++i) {
        const LocalTime oldest = waiting_.empty() ? now_ : waiting_.front();
        if (limit_.admits(waiting_.size(), oldest, now_)) {
          waiting_.push_back(now_);
        } else {
          ++seen.refused;
        }
      }
      seen.lowest_limit = std::min(seen.lowest_limit, limit_.limit());
      seen.highest_limit = std::max(seen.highest_limit, limit_.limit());
    }
    return seen;
  }

  void batches_take(milliseconds time) { batch_time_ = time; }
  [[nodiscard]] const AdaptiveLimit& limit() const { return limit_; }

 private:
  void take(Seen& seen) {
    const std::size_t before = waiting_.size();
    nanoseconds waited{0};
    for (std::size_t i = 0; i < std::min(kBatch, before); ++i) {
      waited = now_ - waiting_.front();
      seen.longest = std::max(seen.longest, waited);
      ++seen.served;
      waiting_.pop_front();
    }
    limit_.took(before, waited, now_);
    free_at_ = now_ + batch_time_;
  }

  milliseconds batch_time_;
  LocalTime now_{seconds(1)};
  LocalTime free_at_;
  std::deque<LocalTime> waiting_;
  AdaptiveLimit limit_{options()};
};

TEST(AdaptiveLimitTest, what_the_backend_bears_is_never_refused) {
  Queue queue(milliseconds(10));  // bears 10 per ms
  const auto seen = queue.run(seconds(10), 9);
  EXPECT_EQ(seen.refused, 0U);
  EXPECT_EQ(seen.lowest_limit, 10 * kBatch);
}

TEST(AdaptiveLimitTest, under_overload_all_that_the_backend_bears_is_served_in_time) {
  Queue queue(milliseconds(10));
  queue.run(seconds(1), 30);  // begins
  const auto seen = queue.run(seconds(10), 30);
  EXPECT_EQ(seen.served, 100'000U);
  EXPECT_NEAR(static_cast<double>(seen.refused), 200'000, 1'000);  // more or less wait at the end
  EXPECT_LE(seen.longest, 2 * kTarget);
  EXPECT_GE(seen.lowest_limit, kBatch);
}

TEST(AdaptiveLimitTest, the_wait_settles_around_the_target_whatever_the_rate) {
  for (const milliseconds batch : {milliseconds(2), milliseconds(10), milliseconds(40)}) {
    Queue queue(batch);
    queue.run(seconds(2), 200);
    const auto seen = queue.run(seconds(10), 200);
    EXPECT_GE(seen.longest, batch) << batch.count();
    EXPECT_LE(seen.longest, 2 * kTarget + batch) << batch.count();
    EXPECT_EQ(seen.served, 10'000 / static_cast<std::size_t>(batch.count()) * kBatch);
  }
}

TEST(AdaptiveLimitTest, the_first_seconds_of_an_overload_are_bounded_too) {
  Queue queue(milliseconds(10));
  queue.run(seconds(5), 5);
  const auto seen = queue.run(seconds(5), 100);
  EXPECT_LE(seen.longest, milliseconds(110));  // what the ceiling lets in, once
}

// However slow it becomes: with fewer than a batch waiting, it would become slower still.
TEST(AdaptiveLimitTest, a_batch_may_always_wait) {
  Queue queue(seconds(1));
  const auto seen = queue.run(seconds(30), 10);
  EXPECT_EQ(queue.limit().limit(), kBatch);
  EXPECT_EQ(seen.lowest_limit, kBatch);
  queue.batches_take(milliseconds(10));
  EXPECT_GT(queue.run(seconds(1), 10).served, 9'000U);
}

TEST(AdaptiveLimitTest, after_an_overload_nothing_is_refused_any_more) {
  Queue queue(milliseconds(10));
  queue.run(seconds(10), 30);
  queue.run(milliseconds(200), 9);  // those that wait are served
  const auto seen = queue.run(seconds(2), 9);
  EXPECT_EQ(seen.refused, 0U);
  EXPECT_EQ(queue.limit().limit(), 10 * kBatch);
}

TEST(AdaptiveLimitTest, one_slow_request_refuses_nobody_else) {
  Queue queue(milliseconds(10));
  queue.run(seconds(1), 5);
  queue.batches_take(milliseconds(80));
  auto seen = queue.run(milliseconds(10), 5);
  queue.batches_take(milliseconds(10));
  seen = queue.run(seconds(2), 5);
  EXPECT_EQ(seen.refused, 0U);
}

// Nobody hears of a wait while nothing is taken; the first of the queue tells.
TEST(AdaptiveLimitTest, a_backend_that_stands_still_closes_it_to_a_batch) {
  AdaptiveLimit limit(options());
  const LocalTime began{seconds(1)};
  std::size_t waiting = 0;
  for (int ms = 0; ms < 1000; ++ms) {
    for (int i = 0; i < 3; ++i) {
      if (limit.admits(waiting, began, began + milliseconds(ms))) ++waiting;
    }
  }
  EXPECT_EQ(limit.limit(), kBatch);
  EXPECT_LT(waiting, 7 * kBatch);  // of 3,000
}

TEST(AdaptiveLimitTest, an_old_wait_is_forgotten_when_nobody_waits_any_more) {
  AdaptiveLimit limit(options());
  LocalTime now{seconds(1)};
  ASSERT_TRUE(limit.admits(0, now, now));
  for (int i = 0; i < 9; ++i) limit.took(kBatch, seconds(1), now += milliseconds(100));
  ASSERT_EQ(limit.limit(), kBatch);
  for (int i = 0; i < 4; ++i) {
    now += seconds(1);
    EXPECT_TRUE(limit.admits(0, now, now));
  }
  EXPECT_TRUE(limit.at_ceiling());
}

// Of an interval that begins at one second; the last is at its end.
std::size_t limit_after(std::initializer_list<milliseconds> waits, std::size_t waiting) {
  AdaptiveLimit limit(options());
  LocalTime now{seconds(1)};
  limit.admits(0, now, now);
  for (const milliseconds wait : waits) {
    now += milliseconds(100) / static_cast<int>(waits.size());
    limit.took(waiting, wait, now);
  }
  return limit.limit();
}

TEST(AdaptiveLimitTest, only_the_shortest_wait_of_an_interval_counts) {
  EXPECT_EQ(limit_after({milliseconds(900), milliseconds(50)}, 1000), 1000U);
  EXPECT_EQ(limit_after({milliseconds(50), milliseconds(900)}, 1000), 1000U);
  EXPECT_EQ(limit_after({milliseconds(80), milliseconds(90)}, 1000), 625U);
}

TEST(AdaptiveLimitTest, it_shrinks_by_half_at_most_and_from_what_waits) {
  EXPECT_EQ(limit_after({milliseconds(5000)}, 1000), 500U);
  EXPECT_EQ(limit_after({milliseconds(100)}, 300), 150U);
}

TEST(AdaptiveLimitTest, a_queue_smaller_than_a_batch_is_its_own_floor) {
  AdaptiveLimit limit({.floor = 100, .ceiling = 2});
  const LocalTime now{seconds(1)};
  EXPECT_TRUE(limit.admits(1, now, now));
  EXPECT_FALSE(limit.admits(2, now, now));
  EXPECT_TRUE(limit.at_ceiling());
}

}  // namespace
}  // namespace stock::admission
