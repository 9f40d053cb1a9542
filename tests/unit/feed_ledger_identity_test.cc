#include <gtest/gtest.h>

#include "stock/feed/ledger_identity.h"

namespace stock::feed {
namespace {

using Heard = LedgerIdentity::Heard;
using std::chrono::seconds;

domain::LocalTime at(int second) { return domain::LocalTime(seconds(second)); }

TEST(LedgerIdentity, each_incarnation_that_is_believed_in_has_a_greater_number_than_the_last) {
  LedgerIdentity identity;
  const auto first = identity.primary_says(7, at(1), at(2));
  EXPECT_EQ(first.heard, Heard::kKnown);
  EXPECT_EQ(identity.primary_says(7, at(1), at(3)).history, first.history);
  const auto another = identity.primary_says(8, at(4), at(5));
  EXPECT_EQ(another.heard, Heard::kAnother);
  EXPECT_GT(another.history, first.history);
  EXPECT_EQ(identity.primary_says(7, at(1), at(6)).heard, Heard::kFormer);
  EXPECT_EQ(identity.primary_says(8, at(4), at(7)).history, another.history);
}

}  // namespace
}  // namespace stock::feed
