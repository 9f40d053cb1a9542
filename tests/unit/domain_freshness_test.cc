#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <random>
#include <vector>

#include "stock/domain/freshness.h"

namespace stock::domain {
namespace {

using std::chrono::microseconds;

TEST(FreshnessTest, one_part_is_the_whole) {
  std::optional<Age> whole;
  include(whole, {microseconds(500), microseconds(20)});
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->age, microseconds(500));
  EXPECT_EQ(whole->uncertainty, microseconds(20));
  EXPECT_EQ(age_within(*whole, {microseconds(500), microseconds(20)}), microseconds(500));
}

// A copy that the feed confirmed (whose age is certain), beside a fresh read whose age is not.
TEST(FreshnessTest, a_certain_part_does_not_make_the_others_certain) {
  const Age copy{microseconds(900), microseconds(0)};
  const Age read{microseconds(800), microseconds(300)};
  std::optional<Age> whole;
  include(whole, copy);
  include(whole, read);
  EXPECT_EQ(whole->age, microseconds(900));
  EXPECT_EQ(whole->worst(), microseconds(1100));
  EXPECT_EQ(age_within(*whole, copy), microseconds(900));
  EXPECT_EQ(age_within(*whole, read), microseconds(900));
}

TEST(FreshnessTest, no_part_is_told_younger_than_it_may_be_or_older_than_the_whole) {
  std::mt19937 chance(1);
  const auto pick = [&](int n) { return microseconds(chance() % static_cast<unsigned>(n)); };
  for (int i = 0; i < 1000; ++i) {
    std::vector<Age> parts(1 + chance() % 5);
    std::optional<Age> whole;
    microseconds worst(0);
    for (Age& part : parts) {
      part = {pick(1000), pick(500)};
      include(whole, part);
      worst = std::max(worst, part.worst());
    }
    EXPECT_EQ(whole->worst(), worst) << "a bound that all parts meet is met";
    EXPECT_GE(whole->uncertainty, microseconds(0));
    for (const Age& part : parts) {
      EXPECT_LE(age_within(*whole, part), whole->age);
      EXPECT_GE(age_within(*whole, part) + whole->uncertainty, part.worst());
    }
  }
}

}  // namespace
}  // namespace stock::domain
