#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <new>
#include <vector>

#include "stock/feed/large_pages.h"

namespace stock::feed {
namespace {

template <typename T>
using Table = std::vector<T, LargePages<T>>;

std::uintptr_t address_of(const Table<std::uint64_t>& table) {
  return reinterpret_cast<std::uintptr_t>(table.data());
}

TEST(LargePages, a_large_table_begins_where_a_page_does) {
  const Table<std::uint64_t> table(1 << 20, 7);
  EXPECT_EQ(address_of(table) % (2 << 20), 0U);
  EXPECT_EQ(table.front(), 7U);
  EXPECT_EQ(table.back(), 7U);
}

TEST(LargePages, a_table_grows_and_shrinks_across_the_size_of_a_page) {
  Table<std::uint64_t> table;
  for (std::uint64_t i = 0; i < 600'000; ++i) table.push_back(i);
  table.resize(100);
  table.shrink_to_fit();
  for (std::uint64_t i = 0; i < 100; ++i) EXPECT_EQ(table[i], i);
}

TEST(LargePages, what_cannot_be_counted_is_not_allocated) {
  LargePages<std::uint64_t> pages;
  EXPECT_THROW((void)pages.allocate(std::numeric_limits<std::size_t>::max() / 4), std::bad_alloc);
}

}  // namespace
}  // namespace stock::feed
