#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "stock/drift/price.h"

namespace stock::drift {
namespace {

using namespace std::chrono_literals;

std::vector<LayerTally> tallies() {
  return {{.layer = "memory",
           .keys_asked = 1000,
           .keys_hit = 900,
           .answers = 900,
           .read_time_p50 = 1us,
           .age_p50 = {},
           .age_p99 = {},
           .examined = 2'000,
           .diverged = 1,
           .consistency = {{0s, 1'980}, {10s, 2'000}},
           .incidents_opened = 3},
          {.layer = "redis",
           .keys_asked = 100,
           .keys_hit = 60,
           .answers = 60,
           .read_time_p50 = 200us,
           .age_p50 = {},
           .age_p99 = {}},
          {.layer = "primary",
           .database = true,
           .keys_asked = 40,
           .keys_hit = 40,
           .answers = 40,
           .read_time_p50 = 1'200us,
           .age_p50 = {},
           .age_p99 = {},
           .examined = 10}};
}

TEST(Prices, shares_ratios_and_what_was_saved) {
  const std::vector<Price> price = prices(tallies());
  EXPECT_DOUBLE_EQ(*price[0].hit_ratio, 0.9);
  EXPECT_DOUBLE_EQ(price[0].answer_share, 0.9);
  EXPECT_EQ(price[0].latency_saved, 900 * 199us);
  EXPECT_EQ(price[0].database_reads_saved, 900);
  EXPECT_DOUBLE_EQ(*price[0].diverged_per_million, 500);

  EXPECT_EQ(price[1].latency_saved, 60ms);
  EXPECT_EQ(price[1].diverged_per_million, std::nullopt);

  EXPECT_EQ(price[2].latency_saved, std::nullopt);  // there is no next one
  EXPECT_EQ(price[2].database_reads_saved, 0);
  EXPECT_DOUBLE_EQ(*price[2].diverged_per_million, 0);
}

TEST(Prices, nines_count_at_least_half_a_failure) {
  const std::vector<Price> price = prices(tallies());
  ASSERT_EQ(price[0].nines.size(), 2U);
  EXPECT_DOUBLE_EQ(*price[0].nines[0], 2);                  // 20 of 2,000
  EXPECT_DOUBLE_EQ(*price[0].nines[1], std::log10(4'000));  // none of 2,000
  std::vector<LayerTally> hardly(1);
  hardly[0].examined = 1;
  hardly[0].consistency = {{0s, 0}, {10s, 1}};
  EXPECT_EQ(prices(hardly)[0].nines[0], 0);
  hardly[0].examined = 0;
  EXPECT_EQ(prices(hardly)[0].nines[0], std::nullopt);
}

TEST(Prices, incidents_are_set_against_answers) {
  const std::vector<Price> price = prices(tallies());
  EXPECT_DOUBLE_EQ(*price[0].incidents_per_million_answers, 3e6 / 900);
  EXPECT_EQ(price[1].incidents_per_million_answers, 0);
  EXPECT_EQ(prices(std::vector<LayerTally>(1))[0].incidents_per_million_answers, std::nullopt);
}

TEST(Prices, the_next_layer_is_the_next_one_in_use) {
  std::vector<LayerTally> some = tallies();
  some[1].in_use = false;
  EXPECT_EQ(prices(some)[0].latency_saved, 900 * 1'199us);
}

TEST(Prices, a_layer_slower_than_the_next_one_saves_less_than_nothing) {
  std::vector<LayerTally> some = tallies();
  some[1].read_time_p50 = 1'300us;
  EXPECT_EQ(prices(some)[1].latency_saved, -6ms);
}

TEST(Prices, of_what_was_never_asked_nothing_is_said) {
  const std::vector<Price> price = prices(std::vector<LayerTally>(2));
  EXPECT_EQ(price[0].hit_ratio, std::nullopt);
  EXPECT_EQ(price[0].answer_share, 0);
  EXPECT_EQ(price[0].latency_saved, std::nullopt);
}

}  // namespace
}  // namespace stock::drift
