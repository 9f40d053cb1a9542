#include <gtest/gtest.h>

#include <chrono>

#include "stock/rpc/convert.h"

namespace stock::rpc {
namespace {

using domain::DatabaseTime;
using std::chrono::microseconds;
using std::chrono::seconds;

const domain::Key kKey{.sku = "LAMP", .location = "berlin"};

v1::StockLevel message_of(const domain::Reading& reading) {
  v1::StockLevel level;
  to_proto(kKey, reading, microseconds(0), level);
  return level;
}

domain::Reading held(std::int64_t reserved, DatabaseTime until) {
  return {.exists = true,
          .version = 3,
          .counts = {.on_hand = 10, .reserved = reserved},
          .earliest_expiry = until,
          .layer = "redis"};
}

TEST(ConvertLevel, says_when_the_first_hold_may_end_to_the_microsecond) {
  const v1::StockLevel level =
      message_of(held(2, DatabaseTime(seconds(1'700'000'060) + microseconds(7))));
  ASSERT_TRUE(level.has_earliest_expire_time());
  EXPECT_EQ(level.earliest_expire_time().seconds(), 1'700'000'060);
  EXPECT_EQ(level.earliest_expire_time().nanos(), 7'000);
  EXPECT_EQ(level.counts().reserved(), 2);
  EXPECT_EQ(level.version(), 3);
}

TEST(ConvertLevel, does_not_say_so_where_it_is_not_known_or_nothing_is_held) {
  EXPECT_FALSE(message_of(held(2, {})).has_earliest_expire_time());
  EXPECT_FALSE(message_of(held(0, DatabaseTime(seconds(9)))).has_earliest_expire_time());
  EXPECT_FALSE(message_of({}).has_earliest_expire_time());
}

}  // namespace
}  // namespace stock::rpc
