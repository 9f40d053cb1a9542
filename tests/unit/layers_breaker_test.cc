#include <gtest/gtest.h>

#include "stock/layers/breaker.h"
#include "stock/layers/flights.h"
#include "support/fake_layer.h"
#include "support/manual_clock.h"
#include "support/manual_timers.h"

namespace stock::layers {
namespace {

using domain::Key;
using domain::Outcome;
using std::chrono::milliseconds;
using std::chrono::seconds;

const Key kA{"A", "main"};

class BreakerTest : public ::testing::Test {
 protected:
  Outcome ask(const ReadContext& context = {}) {
    const std::vector<Key> keys{kA};
    std::vector<Answer> answers(1);
    breaker_.read(keys, answers, context,
                  [this](std::string detail) { detail_ = std::move(detail); });
    return answers[0].outcome;
  }
  void fail_often() {
    layer_.fails(Outcome::kError, "connection refused");
    for (int i = 0; i < 3; ++i) ask();
  }

  support::ManualClock clock_;
  support::FakeLayer layer_{"redis"};
  Breaker breaker_{
      layer_, clock_, {.failures = 3, .open_for = seconds(1), .timeout = milliseconds(50)}};
  std::string detail_;
};

TEST_F(BreakerTest, a_layer_that_keeps_failing_is_left_alone) {
  fail_often();
  EXPECT_FALSE(breaker_.closed());
  EXPECT_EQ(ask(), Outcome::kBreakerOpen);
  EXPECT_EQ(detail_, "not asked, it failed 3 times in a row: connection refused");
  EXPECT_EQ(layer_.reads().size(), 3U);
}

TEST_F(BreakerTest, a_success_between_failures_starts_the_count_again) {
  layer_.fails(Outcome::kError);
  ask();
  ask();
  layer_.fails(std::nullopt);
  ask();
  layer_.fails(Outcome::kError);
  ask();
  ask();
  EXPECT_TRUE(breaker_.closed());
}

TEST_F(BreakerTest, a_layer_that_is_too_busy_has_neither_failed_nor_worked) {
  layer_.fails(Outcome::kRefused);
  for (int i = 0; i < 5; ++i) ask();
  EXPECT_TRUE(breaker_.closed());
  fail_often();
  clock_.advance(seconds(1));
  layer_.fails(Outcome::kRefused);
  EXPECT_EQ(ask(), Outcome::kRefused);
  EXPECT_FALSE(breaker_.closed());
  EXPECT_EQ(ask(), Outcome::kRefused);  // it may be tried again at once
}

TEST_F(BreakerTest, after_a_while_one_read_tries_and_its_success_closes) {
  fail_often();
  layer_.fails(std::nullopt);
  clock_.advance(seconds(1));
  EXPECT_EQ(ask(), Outcome::kMiss);
  EXPECT_TRUE(breaker_.closed());
}

TEST_F(BreakerTest, while_one_tries_the_others_are_turned_away) {
  fail_often();
  clock_.advance(seconds(1));
  layer_.hold();
  const std::vector<Key> keys{kA};
  std::vector<Answer> answers(1);
  breaker_.read(keys, answers, {}, [](const std::string&) {});
  EXPECT_EQ(ask(), Outcome::kBreakerOpen);
  layer_.fails(std::nullopt);
  layer_.release();
  EXPECT_TRUE(breaker_.closed());
}

TEST_F(BreakerTest, a_trial_that_fails_opens_for_another_while) {
  fail_often();
  clock_.advance(seconds(1));
  EXPECT_EQ(ask(), Outcome::kError);
  EXPECT_EQ(ask(), Outcome::kBreakerOpen);
}

TEST_F(BreakerTest, a_miss_is_no_failure) {
  for (int i = 0; i < 10; ++i) ask();
  EXPECT_TRUE(breaker_.closed());
}

TEST_F(BreakerTest, a_timeout_that_the_callers_deadline_caused_is_no_evidence) {
  layer_.fails(Outcome::kTimeout);  // at once: the caller was in a hurry
  for (int i = 0; i < 10; ++i) ask();
  EXPECT_TRUE(breaker_.closed());
}

// The interleaving: callers who wait for 30 ms come one after another, of a layer that may take
// 100; it says nothing to anybody.
TEST(BreakerOverFlights, a_silent_layer_is_left_alone_also_when_all_callers_are_in_a_hurry) {
  support::ManualClock clock;
  support::ManualTimers timers(clock);
  support::FakeLayer layer("replica");
  Flights flights(layer, clock, timers, {.max_flights = 1, .timeout = milliseconds(100)});
  Breaker breaker(flights, clock,
                  {.failures = 3, .timeout = milliseconds(100), .overdue = [&flights] {
                     return flights.overdue();
                   }});
  layer.hold();
  const auto ask_in_a_hurry = [&] {
    const std::vector<Key> keys{kA};
    std::vector<Answer> answers(1);
    breaker.read(keys, answers, {.deadline = clock.now() + milliseconds(30)},
                 [](const std::string&) {});
    clock.advance(milliseconds(30));
    timers.run_due();
    return answers[0].outcome;
  };
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask_in_a_hurry(), Outcome::kTimeout);
  EXPECT_TRUE(breaker.closed()) << "after 90 ms of silence nobody knows";
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask_in_a_hurry(), Outcome::kTimeout);
  EXPECT_FALSE(breaker.closed());
  EXPECT_EQ(ask_in_a_hurry(), Outcome::kBreakerOpen);
  layer.release();
  EXPECT_FALSE(flights.overdue());
}

TEST_F(BreakerTest, a_caller_that_has_gone_is_no_evidence) {
  layer_.fails(Outcome::kError);
  const std::atomic<bool> cancelled{true};
  for (int i = 0; i < 10; ++i) ask({.cancelled = &cancelled});
  EXPECT_TRUE(breaker_.closed());
}

}  // namespace
}  // namespace stock::layers
