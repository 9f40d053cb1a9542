// What flags make of what is available.
#include <gtest/gtest.h>

#include <limits>

#include "stock/domain/flags.h"

namespace stock::domain {
namespace {

const std::vector<Flag> kFlags = {{"recalled", FlagEffect::kHide},
                                  {"black-friday", FlagEffect::kCap},
                                  {"sold-out", FlagEffect::kEndSale}};

FlagsSaid said(bool hide, double cap, bool end) {
  return {{"v", "STATIC", hide}, {"v", "STATIC", cap}, {"v", "STATIC", end}};
}

TEST(Flags, without_anything_said_everybody_sees_what_there_is) {
  const Flagged view = flagged(kFlags, {}, 120);
  EXPECT_EQ(view.available, 120);
  EXPECT_FALSE(view.hidden);
  EXPECT_FALSE(view.sale_ended);
  EXPECT_FALSE(view.forked());
  EXPECT_EQ(view.outcomes.size(), kFlags.size());
}

TEST(Flags, what_is_promised_beyond_the_stock_is_not_seen_as_less_than_nothing) {
  EXPECT_EQ(flagged(kFlags, {}, -5).available, 0);
  EXPECT_FALSE(flagged(kFlags, said(false, 3, false), -5).forked());
}

TEST(Flags, a_cap_applies_where_there_is_more) {
  const Flagged capped = flagged(kFlags, said(false, 5, false), 120);
  EXPECT_EQ(capped.available, 5);
  EXPECT_TRUE(capped.outcomes[1].applies);
  EXPECT_EQ(capped.outcomes[1].cap, 5);
  const Flagged not_capped = flagged(kFlags, said(false, 5, false), 5);
  EXPECT_EQ(not_capped.available, 5);
  EXPECT_FALSE(not_capped.forked());
  EXPECT_EQ(not_capped.outcomes[1].cap, 5);
  EXPECT_EQ(flagged(kFlags, said(false, 0, false), 120).available, 0);
}

TEST(Flags, the_least_of_several_caps_counts) {
  const std::vector<Flag> flags = {{"a", FlagEffect::kCap}, {"b", FlagEffect::kCap}};
  EXPECT_EQ(flagged(flags, {{"v", "S", 7.0}, {"v", "S", 3.0}}, 120).available, 3);
  EXPECT_EQ(flagged(flags, {{"v", "S", 3.0}, {"v", "S", 7.0}}, 120).available, 3);
}

TEST(Flags, a_negative_cap_is_none) {
  const Flagged view = flagged(kFlags, said(false, -1, false), 120);
  EXPECT_EQ(view.available, 120);
  EXPECT_EQ(view.outcomes[1], FlagOutcome());
}

TEST(Flags, what_is_hidden_or_no_longer_sold_is_not_available) {
  const Flagged hidden = flagged(kFlags, said(true, -1, false), 120);
  EXPECT_TRUE(hidden.hidden);
  EXPECT_EQ(hidden.available, 0);
  const Flagged ended = flagged(kFlags, said(false, -1, true), 120);
  EXPECT_TRUE(ended.sale_ended);
  EXPECT_FALSE(ended.hidden);
  EXPECT_EQ(ended.available, 0);
}

TEST(Flags, a_value_of_the_wrong_kind_changes_nothing_and_is_noticed) {
  const FlagsSaid wrong = {{"v", "STATIC", 1.0}, {"v", "STATIC", true}, {"v", "STATIC", {}}};
  const Flagged view = flagged(kFlags, wrong, 120);
  EXPECT_EQ(view.available, 120);
  EXPECT_FALSE(view.forked());
  for (const FlagOutcome& outcome : view.outcomes) EXPECT_TRUE(outcome.misused);
}

TEST(Flags, a_cap_that_is_no_whole_number_of_units_is_misused) {
  for (const double value : {1.5, std::numeric_limits<double>::quiet_NaN()}) {
    const FlagOutcome told = flag_outcome(FlagEffect::kCap, {"v", "S", value}, 120);
    EXPECT_TRUE(told.misused) << value;
    EXPECT_FALSE(told.applies) << value;
  }
  for (const double value :
       {1e300, std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()}) {
    EXPECT_EQ(flag_outcome(FlagEffect::kCap, {"v", "S", value}, 120), FlagOutcome()) << value;
  }
}

TEST(Flags, a_flag_of_which_nothing_was_said_is_not_misused) {
  EXPECT_EQ(flag_outcome(FlagEffect::kCap, {}, 120), FlagOutcome());
}

TEST(Flags, cohorts_contradict_each_other_by_what_they_see_and_by_the_flag_that_does_it) {
  const auto view = [](bool hide, double cap, std::int64_t available) {
    return flagged(kFlags, said(hide, cap, false), available);
  };
  const std::vector<Flagged> agree = {view(false, 5, 120), view(false, 5, 120)};
  EXPECT_FALSE(contradict(agree));
  EXPECT_FALSE(contradict(agree, 1));
  const std::vector<Flagged> forked = {view(false, -1, 120), view(false, 5, 120)};
  EXPECT_TRUE(contradict(forked));
  EXPECT_TRUE(contradict(forked, 1));
  EXPECT_FALSE(contradict(forked, 0));
  // With three in stock nobody notices a cap of five.
  const std::vector<Flagged> few = {view(false, -1, 3), view(false, 5, 3)};
  EXPECT_FALSE(contradict(few));
  EXPECT_FALSE(contradict(few, 1));
  const std::vector<Flagged> none;
  EXPECT_FALSE(contradict(none));
  EXPECT_FALSE(contradict(none, 0));
}

TEST(Flags, hidden_and_sold_out_are_not_the_same_to_see) {
  const std::vector<Flagged> views = {flagged(kFlags, said(true, -1, false), 0),
                                      flagged(kFlags, said(false, -1, false), 0)};
  EXPECT_TRUE(contradict(views));
}

}  // namespace
}  // namespace stock::domain
