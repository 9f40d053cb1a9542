#include <gtest/gtest.h>

#include "stock/rpc/availability.h"

namespace stock::rpc {
namespace {

domain::Reading with(std::int64_t on_hand, std::int64_t backorder_limit = 0) {
  return {.exists = true,
          .version = 1,
          .counts = {.on_hand = on_hand, .backorder_limit = backorder_limit}};
}

const std::vector<std::string> kPlaces = {"LON", "MAN"};

TEST(AvailabilityTest, lines_for_one_key_compete_in_order) {
  const std::vector<Line> lines = {{"A", "LON", 3}, {"A", "LON", 3}};
  const auto answers = check_availability(lines, kPlaces, {{{"A", "LON"}, with(5)}});
  EXPECT_EQ(answers[0].available, 5);
  EXPECT_EQ(answers[0].shortfall, 0);
  EXPECT_EQ(answers[1].available, 2);
  EXPECT_EQ(answers[1].shortfall, 1);
}

TEST(AvailabilityTest, a_line_without_location_is_served_from_everywhere) {
  const std::vector<Line> lines = {{"A", "MAN", 1}, {"A", "", 6}};
  const auto answers =
      check_availability(lines, kPlaces, {{{"A", "LON"}, with(4)}, {{"A", "MAN"}, with(3)}});
  EXPECT_EQ(answers[1].available, 6);
  EXPECT_EQ(answers[1].shortfall, 0);
}

TEST(AvailabilityTest, backorders_can_be_sold) {
  const std::vector<Line> lines = {{"A", "LON", 7}};
  EXPECT_EQ(check_availability(lines, kPlaces, {{{"A", "LON"}, with(5, 2)}})[0].shortfall, 0);
}

TEST(AvailabilityTest, what_is_promised_beyond_the_stock_counts_as_nothing) {
  domain::Reading owed = with(5);
  owed.counts.committed = 9;
  const std::vector<Line> lines = {{"A", "", 1}};
  const auto answers =
      check_availability(lines, kPlaces, {{{"A", "LON"}, owed}, {{"A", "MAN"}, with(1)}});
  EXPECT_EQ(answers[0].available, 1);
}

TEST(AvailabilityTest, an_unknown_sku_is_not_found_and_all_short) {
  const std::vector<Line> lines = {{"A", "LON", 2}};
  const auto answers = check_availability(lines, kPlaces, {{{"A", "LON"}, {}}});
  EXPECT_FALSE(answers[0].found);
  EXPECT_EQ(answers[0].shortfall, 2);
}

}  // namespace
}  // namespace stock::rpc
