#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "stock/memory/packed_key.h"

namespace stock::memory {
namespace {

using domain::Key;

Key of_bytes(std::size_t sku, std::size_t location) {
  return {.sku = std::string(sku, 's'), .location = std::string(location, 'l')};
}

// Around the length up to which it lies in place, and at the longest that there are.
std::vector<Key> keys() {
  return {of_bytes(1, 1),
          of_bytes(1, 28),
          of_bytes(28, 1),
          of_bytes(15, 14),
          of_bytes(15, 15),
          of_bytes(29, 1),
          of_bytes(1, 29),
          of_bytes(64, 1),
          of_bytes(1, 64),
          of_bytes(64, 64),
          {.sku = "BANK CHARGES", .location = "berlin"}};
}

TEST(MemoryPackedKey, says_what_the_key_said) {
  for (const Key& key : keys()) {
    SCOPED_TRACE(key.sku + " " + key.location);
    const PackedKey packed(key);
    EXPECT_EQ(packed.sku(), key.sku);
    EXPECT_EQ(packed.location(), key.location);
    EXPECT_TRUE(packed == key);
  }
}

TEST(MemoryPackedKey, the_same_text_split_elsewhere_is_another_key) {
  EXPECT_FALSE(PackedKey({.sku = "ab", .location = "c"}) == (Key{.sku = "a", .location = "bc"}));
  const std::string long_name(40, 'x');
  EXPECT_FALSE(PackedKey({.sku = long_name + "x", .location = long_name}) ==
               (Key{.sku = long_name, .location = "x" + long_name}));
}

TEST(MemoryPackedKey, may_be_moved_and_become_another) {
  for (const Key& first : keys()) {
    for (const Key& second : keys()) {
      PackedKey packed(first);
      packed = PackedKey(second);
      EXPECT_TRUE(packed == second);
      const PackedKey moved = std::move(packed);
      EXPECT_TRUE(moved == second);
    }
  }
}

}  // namespace
}  // namespace stock::memory
