#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "stock/redis/codec.h"

namespace stock::redis {
namespace {

using domain::DatabaseTime;
using domain::Key;
using domain::Reading;
using std::chrono::microseconds;
using testing::HasSubstr;

constexpr domain::Incarnation kIncarnation = 0xfedcba9876543210;

const Key kKey{.sku = "22423 REGENCY", .location = "berlin"};

Reading some_reading() {
  return {.exists = true,
          .version = 42,
          .counts = {.on_hand = 120,
                     .reserved = 7,
                     .committed = 30,
                     .safety_stock = 5,
                     .backorder_limit = domain::kMaxCount},
          .earliest_expiry = DatabaseTime(microseconds(1'700'000'060'000'001)),
          .as_of = DatabaseTime(microseconds(1'700'000'000'000'001)),
          .true_through = DatabaseTime(microseconds(1'700'000'000'999'999)),
          .incarnation = kIncarnation,
          .heartbeat = 987'654'321,
          .layer = {}};
}

bool same(const Reading& a, const Reading& b) {
  return a.exists == b.exists && a.version == b.version && a.counts == b.counts &&
         a.earliest_expiry == b.earliest_expiry && a.as_of == b.as_of &&
         a.true_through == b.true_through && a.incarnation == b.incarnation &&
         a.heartbeat == b.heartbeat;
}

std::string why_refused(const Key& key, const std::string& value) {
  Reading reading;
  const absl::Status status = decode_value(kIncarnation, key, value, reading);
  if (status.ok()) return "accepted";
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  return std::string(status.message());
}

// As if somebody had written this reading with our own encoder.
std::string why_refused(const Reading& reading) {
  return why_refused(kKey, encode_value(kKey, reading));
}

TEST(RedisCodec, keys_can_be_read_by_people) {
  EXPECT_EQ(encode_key(0xAB, {.sku = "BANK CHARGES", .location = "berlin"}),
            "stock:3:00000000000000ab:6:berlin:BANK CHARGES");
}

TEST(RedisCodec, keys_differ_wherever_the_colons_are) {
  EXPECT_NE(encode_key(1, {.sku = "b:c", .location = "a"}),
            encode_key(1, {.sku = "c", .location = "a:b"}));
  EXPECT_NE(encode_key(1, {.sku = "2:b", .location = "1"}),
            encode_key(1, {.sku = "b", .location = "1:2"}));
  EXPECT_NE(encode_key(1, kKey), encode_key(2, kKey));
}

TEST(RedisCodec, keys_that_are_encoded_one_after_the_other_are_those_that_are_encoded_alone) {
  KeyEncoder encode(kIncarnation);
  for (const Key& key :
       {kKey, Key{.sku = "s", .location = "berlin"}, Key{.sku = "s", .location = "l"},
        Key{.sku = "a longer one", .location = "l"}, kKey}) {
    EXPECT_EQ(encode(key), encode_key(kIncarnation, key));
  }
}

TEST(RedisCodec, gives_back_what_was_encoded) {
  const Reading reading = some_reading();
  const std::string value = encode_value(kKey, reading);
  EXPECT_EQ(value.size(), kValueBytes);
  Reading decoded;
  const absl::Status status = decode_value(kIncarnation, kKey, value, decoded);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(same(decoded, reading));
}

TEST(RedisCodec, gives_back_absence_and_tombstones) {
  for (const domain::Version version : {0, 9}) {
    Reading gone;
    gone.version = version;
    gone.incarnation = kIncarnation;
    Reading decoded = some_reading();
    const absl::Status status = decode_value(kIncarnation, kKey, encode_value(kKey, gone), decoded);
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_TRUE(same(decoded, gone));
  }
}

TEST(RedisCodec, gives_back_random_readings) {
  std::mt19937_64 random(1);
  const auto count = [&] { return static_cast<std::int64_t>(random() % (domain::kMaxCount + 1)); };
  for (int i = 0; i < 10'000; ++i) {
    const Reading reading{
        .exists = true,
        .version = static_cast<std::int64_t>(random() >> 1) | 1,
        .counts = {.on_hand = count(),
                   .reserved = count(),
                   .committed = count(),
                   .safety_stock = count(),
                   .backorder_limit = count()},
        .earliest_expiry = DatabaseTime(microseconds(static_cast<std::int64_t>(random() >> 1))),
        .as_of = DatabaseTime(microseconds(static_cast<std::int64_t>(random()))),
        .true_through = DatabaseTime(microseconds(static_cast<std::int64_t>(random()))),
        .incarnation = random(),
        .heartbeat = static_cast<std::int64_t>(random() >> 1),
        .layer = {}};
    Reading decoded;
    const absl::Status status =
        decode_value(reading.incarnation, kKey, encode_value(kKey, reading), decoded);
    ASSERT_TRUE(status.ok()) << status;
    ASSERT_TRUE(same(decoded, reading));
  }
}

// Values outlive the process that wrote them: the layout must not change under the same name.
TEST(RedisCodec, the_layout_is_the_documented_one) {
  const std::string value = encode_value(
      {.sku = "s", .location = "l"},
      {.exists = true,
       .version = 1,
       .counts =
           {.on_hand = 2, .reserved = 3, .committed = 4, .safety_stock = 5, .backorder_limit = 6},
       .earliest_expiry = DatabaseTime(microseconds(0x0403)),
       .as_of = DatabaseTime(microseconds(0x0102)),
       .true_through = DatabaseTime(microseconds(-1)),
       .incarnation = 0x1122334455667788,
       .heartbeat = 7,
       .layer = {}});
  const auto number = [](char low) { return std::string{low} + std::string(7, '\0'); };
  const std::string expected = std::string("SWL3\x01") + number(1) +
                               std::string("\x02\x01\0\0\0\0\0\0", 8) + std::string(8, '\xff') +
                               std::string("\x88\x77\x66\x55\x44\x33\x22\x11") + number(7) +
                               number(2) + number(3) + number(4) + number(5) + number(6) +
                               std::string("\x03\x04\0\0\0\0\0\0", 8);
  EXPECT_EQ(value.substr(0, 93), expected);
  // MurmurHash64A of "l", "s" and the above, computed elsewhere.
  EXPECT_EQ(value.substr(93), std::string("\x55\x65\x22\xb3\x7f\x20\xdc\x62"));
}

TEST(RedisCodec, says_why_a_value_was_refused) {
  const std::string value = encode_value(kKey, some_reading());
  EXPECT_EQ(why_refused(kKey, "twelve bytes"), "12 bytes without our header");
  EXPECT_EQ(why_refused(kKey, ""), "0 bytes without our header");
  EXPECT_EQ(why_refused(kKey, "SWL2" + value.substr(4)), "101 bytes without our header");
  EXPECT_EQ(why_refused(kKey, value.substr(0, 50)), "50 bytes instead of 101");
  EXPECT_EQ(why_refused(kKey, value + '\0'), "102 bytes instead of 101");
  EXPECT_THAT(why_refused({.sku = kKey.sku, .location = "paris"}, value), HasSubstr("checksum"));

  const auto with = [](auto change) {
    Reading reading = some_reading();
    change(reading);
    return why_refused(reading);
  };
  EXPECT_EQ(with([](Reading& r) { r.incarnation = 1; }), "of another incarnation");
  EXPECT_EQ(with([](Reading& r) { r.version = -1; }), "a negative version");
  EXPECT_EQ(with([](Reading& r) { r.version = 0; }), "a level without a version");
  EXPECT_EQ(with([](Reading& r) { r.exists = false; }), "counts of no level");
  EXPECT_EQ(with([](Reading& r) { r.counts.on_hand = -1; }), "a count out of range");
  EXPECT_EQ(with([](Reading& r) { r.counts.reserved = domain::kMaxCount + 1; }),
            "a count out of range");
  EXPECT_EQ(with([](Reading& r) { r.earliest_expiry = DatabaseTime(microseconds(-1)); }),
            "a hold that ends before all time");
  EXPECT_EQ(with([](Reading& r) {
              r = {.exists = false,
                   .version = 1,
                   .earliest_expiry = r.earliest_expiry,
                   .incarnation = kIncarnation};
            }),
            "a hold of no level");
  EXPECT_EQ(with([](Reading& r) { r.heartbeat = -1; }), "a negative heartbeat");
}

TEST(RedisCodec, refuses_a_value_under_a_key_whose_names_are_split_elsewhere) {
  const Key key{.sku = "bc", .location = "a"};
  const Key other{.sku = "c", .location = "ab"};
  EXPECT_THAT(why_refused(other, encode_value(key, some_reading())), HasSubstr("checksum"));
}

TEST(RedisCodec, refuses_every_truncation) {
  const std::string value = encode_value(kKey, some_reading());
  for (std::size_t length = 0; length < value.size(); ++length) {
    EXPECT_NE(why_refused(kKey, value.substr(0, length)), "accepted") << length;
  }
}

TEST(RedisCodec, refuses_every_change_of_one_byte) {
  const std::string value = encode_value(kKey, some_reading());
  for (std::size_t at = 0; at < value.size(); ++at) {
    for (int change = 1; change < 256; ++change) {
      std::string changed = value;
      changed[at] = static_cast<char>(changed[at] ^ change);
      ASSERT_NE(why_refused(kKey, changed), "accepted") << at << " ^ " << change;
    }
  }
}

// Where a weaker hash would let them cancel out each other.
TEST(RedisCodec, refuses_every_change_of_the_same_bit_in_two_numbers) {
  const std::string value = encode_value(kKey, some_reading());
  for (std::size_t bit = 0; bit < 64; ++bit) {
    for (std::size_t a = 5; a + 8 <= 93; a += 8) {
      for (std::size_t b = a + 8; b + 8 <= 93; b += 8) {
        std::string changed = value;
        for (const std::size_t at : {a, b}) {
          changed[at + bit / 8] = static_cast<char>(changed[at + bit / 8] ^ (1 << bit % 8));
        }
        ASSERT_NE(why_refused(kKey, changed), "accepted") << bit << " of " << a << " and " << b;
      }
    }
  }
}

TEST(RedisCodec, refuses_random_changes_and_random_bytes) {
  std::mt19937 random(2);
  const std::string value = encode_value(kKey, some_reading());
  for (int i = 0; i < 100'000; ++i) {
    std::string changed = value;
    const int flips = 2 + static_cast<int>(random() % 6);
    for (int flip = 0; flip < flips; ++flip) {
      const std::size_t bit = random() % (8 * value.size());
      changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
    }
    if (changed == value) continue;
    ASSERT_NE(why_refused(kKey, changed), "accepted");
  }
  for (int i = 0; i < 100'000; ++i) {
    std::string noise = i % 2 == 0 ? "SWL3" : "";
    const std::size_t length = i % 4 < 2 ? kValueBytes : random() % 200;
    while (noise.size() < length) noise += static_cast<char>(random());
    ASSERT_NE(why_refused(kKey, noise), "accepted");
  }
}

}  // namespace
}  // namespace stock::redis
