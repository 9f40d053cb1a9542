#include <gtest/gtest.h>

#include "stock/drift/divergences.h"

namespace stock::drift {
namespace {

using namespace std::chrono_literals;

constexpr domain::LocalTime kStart{1000s};

Judgement wrong_by(std::int64_t units) { return {.verdict = Verdict::kWrongCount, .units = units}; }

TEST(Divergences, units_add_up_over_keys_and_time_in_either_direction) {
  Divergences divergences(10);
  EXPECT_TRUE(divergences.judged({"a", "x"}, wrong_by(5), kStart));
  EXPECT_TRUE(divergences.judged({"b", "x"}, wrong_by(-2), kStart + 2s));
  EXPECT_DOUBLE_EQ(divergences.summary(kStart + 3s).unit_seconds, 3 * 5 + 1 * 2);
  // Worse from now on.
  EXPECT_FALSE(divergences.judged({"a", "x"}, wrong_by(10), kStart + 4s));
  EXPECT_DOUBLE_EQ(divergences.summary(kStart + 5s).unit_seconds, 4 * 5 + 1 * 10 + 3 * 2);
}

TEST(Divergences, what_ended_stays_counted_and_counts_no_more) {
  Divergences divergences(10);
  divergences.judged({"a", "x"}, wrong_by(5), kStart);
  divergences.judged({"a", "x"}, {.verdict = Verdict::kCurrent}, kStart + 2s);
  EXPECT_EQ(divergences.summary(kStart + 2s).divergent_keys, 0U);
  EXPECT_DOUBLE_EQ(divergences.summary(kStart + 9s).unit_seconds, 10);
  // Nor does the time between two divergences.
  divergences.judged({"a", "x"}, wrong_by(1), kStart + 10s);
  EXPECT_DOUBLE_EQ(divergences.summary(kStart + 11s).unit_seconds, 11);
}

TEST(Divergences, who_does_not_answer_keeps_the_record_that_he_has) {
  Divergences divergences(10);
  divergences.judged({"a", "x"}, wrong_by(5), kStart);
  divergences.judged({"a", "x"}, {.verdict = Verdict::kUnreachable}, kStart + 1s);
  EXPECT_DOUBLE_EQ(divergences.summary(kStart + 3s).unit_seconds, 15);
  EXPECT_EQ(divergences.summary(kStart + 3s).max_units, 5);
}

TEST(Divergences, what_may_be_ahead_is_followed_up_and_counts_only_when_it_is) {
  const Judgement may_be{.verdict = Verdict::kInconclusive, .may_be_ahead = true};
  Divergences divergences(10);
  EXPECT_FALSE(divergences.judged({"a", "x"}, may_be, kStart));
  EXPECT_FALSE(divergences.judged({"b", "x"}, {.verdict = Verdict::kInconclusive}, kStart));
  ASSERT_EQ(divergences.keys().size(), 1U);
  EXPECT_EQ(divergences.summary(kStart).divergent_keys, 0U);
  EXPECT_TRUE(divergences.judged({"a", "x"}, {.verdict = Verdict::kAhead, .units = 2}, kStart));
  EXPECT_FALSE(divergences.judged({"a", "x"}, {.verdict = Verdict::kAhead, .units = 2}, kStart));
  EXPECT_EQ(divergences.summary(kStart + 1s).divergent_keys, 1U);
  EXPECT_DOUBLE_EQ(divergences.summary(kStart + 1s).unit_seconds, 2);
  divergences.judged({"a", "x"}, {.verdict = Verdict::kCurrent}, kStart + 1s);
  divergences.judged({"c", "x"}, may_be, kStart + 1s);
  divergences.judged({"c", "x"}, {.verdict = Verdict::kAbsent}, kStart + 1s);
  EXPECT_TRUE(divergences.keys().empty());
}

TEST(Divergences, of_what_finds_no_room_nothing_is_counted) {
  Divergences divergences(1);
  divergences.judged({"a", "x"}, wrong_by(5), kStart);
  EXPECT_FALSE(divergences.judged({"b", "x"}, wrong_by(100), kStart));
  EXPECT_DOUBLE_EQ(divergences.summary(kStart + 1s).unit_seconds, 5);
}

}  // namespace
}  // namespace stock::drift
