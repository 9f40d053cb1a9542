#include <gtest/gtest.h>

#include "stock/postgres/array_literal.h"

namespace stock::postgres {
namespace {

TEST(PostgresArrayLiteral, elements_mean_themselves) {
  ArrayLiteral array;
  EXPECT_EQ(array.take(), "{}");
  array.add("a,b");
  array.add("\"q\" \\ {x}");
  array.add("");
  array.add("NULL");
  array.add(std::int64_t{-7});
  EXPECT_EQ(array.take(), R"({"a,b","\"q\" \\ {x}","","NULL",-7})");
}

TEST(PostgresArrayLiteral, what_was_taken_is_gone) {
  ArrayLiteral array;
  array.add(std::int64_t{1});
  EXPECT_EQ(array.take(), "{1}");
  array.add(std::int64_t{2});
  EXPECT_EQ(array.take(), "{2}");
}

}  // namespace
}  // namespace stock::postgres
