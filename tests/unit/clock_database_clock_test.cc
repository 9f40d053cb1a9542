#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "stock/clock/database_clock.h"
#include "support/manual_clock.h"

namespace stock::clock {
namespace {

using domain::DatabaseTime;
using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

class DatabaseClockTest : public ::testing::Test {
 protected:
  support::ManualClock local_;
  DatabaseClock clock_{local_};
};

TEST_F(DatabaseClockTest, before_the_first_measurement_nothing_has_an_age) {
  EXPECT_FALSE(clock_.age(DatabaseTime(seconds(5))));
  EXPECT_FALSE(clock_.earliest(local_.now()));
}

TEST_F(DatabaseClockTest, the_stamp_was_read_somewhere_between_sending_and_receiving) {
  const auto received = local_.now();
  clock_.measured(received - milliseconds(10), DatabaseTime(seconds(100)), received);
  // At `received` the database's clock reads between 100 s and 100.010 s.
  EXPECT_LE(*clock_.earliest(received), DatabaseTime(seconds(100)));
  EXPECT_GE(*clock_.latest(received), DatabaseTime(seconds(100)) + milliseconds(10));
  const auto age = clock_.age(DatabaseTime(seconds(100)), received);
  EXPECT_GE(age->worst(), milliseconds(10));
}

TEST_F(DatabaseClockTest, uncertainty_grows_while_nothing_is_measured) {
  clock_.measured(local_.now(), DatabaseTime(seconds(100)), local_.now());
  const auto before = clock_.age(DatabaseTime(seconds(100)));
  local_.advance(hours(1));
  const auto after = clock_.age(DatabaseTime(seconds(100)));
  EXPECT_GE(after->uncertainty - before->uncertainty, milliseconds(700));  // 200 ppm of an hour
}

TEST_F(DatabaseClockTest, a_tighter_measurement_replaces_a_wider_one_and_not_the_other_way_round) {
  const auto now = local_.now();
  clock_.measured(now - milliseconds(20), DatabaseTime(seconds(100)), now);
  clock_.measured(now - milliseconds(1), DatabaseTime(seconds(100)) + milliseconds(10), now);
  EXPECT_LE(clock_.age(DatabaseTime(seconds(100)))->uncertainty, milliseconds(1));
  clock_.measured(now - milliseconds(20), DatabaseTime(seconds(100)), now);
  EXPECT_LE(clock_.age(DatabaseTime(seconds(100)))->uncertainty, milliseconds(1));
}

TEST_F(DatabaseClockTest, after_a_step_of_the_clock_the_new_measurement_is_right) {
  clock_.measured(local_.now(), DatabaseTime(seconds(100)), local_.now());
  clock_.measured(local_.now() - milliseconds(50), DatabaseTime(hours(1)), local_.now());
  EXPECT_GE(*clock_.latest(local_.now()), DatabaseTime(hours(1)));
}

TEST_F(DatabaseClockTest, an_age_is_never_negative) {
  clock_.measured(local_.now() - milliseconds(20), DatabaseTime(seconds(100)), local_.now());
  EXPECT_EQ(clock_.age(DatabaseTime(seconds(100)) + milliseconds(15))->age, microseconds(0));
}

TEST_F(DatabaseClockTest, what_is_dated_in_the_future_has_no_age) {
  clock_.measured(local_.now(), DatabaseTime(seconds(100)), local_.now());
  EXPECT_FALSE(clock_.age(DatabaseTime(seconds(200))));
}

// The interleaving: a copy is dated, the database's clock is set back by an hour, the copy is asked
// for again. It must not look as if it were from just now.
TEST_F(DatabaseClockTest, a_clock_that_was_set_back_makes_nothing_young) {
  clock_.measured(local_.now(), DatabaseTime(hours(2)), local_.now());
  const DatabaseTime copied = DatabaseTime(hours(2));
  local_.advance(seconds(1));
  clock_.measured(local_.now(), DatabaseTime(hours(1)), local_.now());
  EXPECT_FALSE(clock_.age(copied));
}

TEST_F(DatabaseClockTest, a_clock_that_was_set_is_told_from_one_that_is_put_right_slowly) {
  const auto measure = [&](DatabaseTime stamp) {
    local_.advance(milliseconds(100));
    return clock_.measured(local_.now() - milliseconds(1), stamp, local_.now());
  };
  EXPECT_FALSE(measure(DatabaseTime(hours(2))));
  EXPECT_FALSE(measure(DatabaseTime(hours(2)) + milliseconds(100)));
  EXPECT_FALSE(measure(DatabaseTime(hours(2)) + milliseconds(208)));  // faster by 8 %
  EXPECT_FALSE(measure(DatabaseTime(hours(2)) + milliseconds(300)));  // and slower
  EXPECT_TRUE(measure(DatabaseTime(hours(2)) + milliseconds(450))) << "forward";
  EXPECT_FALSE(measure(DatabaseTime(hours(2)) + milliseconds(550)));
  EXPECT_TRUE(measure(DatabaseTime(hours(2)) + milliseconds(600))) << "back";
  EXPECT_TRUE(measure(DatabaseTime(hours(3)))) << "forward";
}

// The interleaving: a tight measurement of a primary; another one takes its place, whose clock is
// 20 ms ahead, and is measured widely; an answer of the former comes late.
TEST_F(DatabaseClockTest, another_database_is_not_dated_by_the_clock_of_the_former) {
  const DatabaseTime was{seconds(100)};
  const auto now = local_.now();
  clock_.measured(now - microseconds(200), was, now, 1);
  EXPECT_FALSE(clock_.measured(now - milliseconds(50), was + milliseconds(20), now, 2));
  EXPECT_GE(*clock_.latest(now), was + milliseconds(70));
  EXPECT_FALSE(clock_.measured(now - microseconds(100), was, now, 1));
  EXPECT_GE(*clock_.latest(now), was + milliseconds(70));
  // Nor is its clock set because it is another one.
  EXPECT_FALSE(clock_.measured(now, DatabaseTime(hours(1)), now, 3));
  EXPECT_TRUE(clock_.measured(now, DatabaseTime(hours(2)), now, 3));
}

// Many measurements of a true clock that drifts by up to 100 ppm, with random delays: the truth is
// always within what is claimed.
TEST_F(DatabaseClockTest, the_true_age_is_never_above_the_worst_that_is_claimed) {
  std::mt19937_64 random(20261124);
  const auto pick = [&](std::int64_t most) {
    return std::chrono::nanoseconds(std::uniform_int_distribution<std::int64_t>(0, most)(random));
  };
  double true_ns = 1e15;  // the database's clock
  const auto step = [&](std::chrono::nanoseconds by) {
    local_.advance(by);
    true_ns += static_cast<double>(by.count()) * (1 + 1e-4);
  };
  const auto stamp = [&] {
    return DatabaseTime(microseconds(static_cast<std::int64_t>(true_ns / 1000)));
  };
  for (int i = 0; i < 20'000; ++i) {
    const auto sent = local_.now();
    step(pick(3'000'000));
    const DatabaseTime read = stamp();
    step(pick(3'000'000));
    clock_.measured(sent, read, local_.now());
    step(pick(2'000'000'000));
    const auto truth =
        std::chrono::nanoseconds(static_cast<std::int64_t>(true_ns) -
                                 std::chrono::nanoseconds(read.time_since_epoch()).count());
    ASSERT_GE(clock_.age(read)->worst(), truth - microseconds(1)) << "measurement " << i;
    ASSERT_LE(*clock_.earliest(local_.now()), stamp());
    ASSERT_GE(*clock_.latest(local_.now()), stamp());
  }
}

TEST_F(DatabaseClockTest, readers_never_see_half_a_measurement) {
  // Two measurements that differ in all fields; a mixture of them would give an absurd age.
  std::atomic<bool> stop{false};
  const auto now = local_.now();
  clock_.measured(now, DatabaseTime(seconds(1000)), now);
  std::thread writer([&] {
    for (int i = 0; i < 20'000; ++i) {
      const auto base = i % 2 == 0 ? seconds(1000) : seconds(500'000);
      clock_.measured(now, DatabaseTime(base), now);
    }
    stop = true;
  });
  while (!stop) {
    const DatabaseTime at = *clock_.latest(now);
    EXPECT_TRUE(at - DatabaseTime(seconds(1000)) < milliseconds(1) ||
                at - DatabaseTime(seconds(500'000)) < milliseconds(1));
    EXPECT_TRUE(at >= DatabaseTime(seconds(1000)));
  }
  writer.join();
}

}  // namespace
}  // namespace stock::clock
