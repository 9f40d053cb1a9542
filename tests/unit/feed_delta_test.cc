#include <gtest/gtest.h>

#include "stock/feed/delta.h"

namespace stock::feed {
namespace {

domain::Snapshot snapshot(const char* text) { return *domain::Snapshot::parse(text); }

TEST(Delta, the_later_of_two_snapshots_has_begun_more_or_ended_more) {
  EXPECT_TRUE(is_later(snapshot("10:20:10"), snapshot("10:19:10")));
  EXPECT_TRUE(is_later(snapshot("15:20:15"), snapshot("10:20:10,15")));
  EXPECT_FALSE(is_later(snapshot("10:20:10"), snapshot("10:20:10")));
  EXPECT_FALSE(is_later(snapshot("10:19:10"), snapshot("20:20:")));
  EXPECT_TRUE(is_later(snapshot("4:4:"), beginning_of_time()));
}

TEST(Delta, of_a_history_that_is_over_only_the_common_past_is_shown) {
  EXPECT_EQ(clamp(snapshot("10:20:10,15"), 25), snapshot("10:20:10,15"));
  EXPECT_EQ(clamp(snapshot("10:20:10,15"), 12), snapshot("10:12:10"));
  EXPECT_EQ(clamp(snapshot("10:20:10,15"), 8), snapshot("8:8:"));
  EXPECT_EQ(clamp(snapshot("10:20:10,15"), 1), beginning_of_time());
}

}  // namespace
}  // namespace stock::feed
