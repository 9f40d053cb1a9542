#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "stock/domain/key.h"
#include "stock/domain/level.h"
#include "stock/domain/movement.h"

namespace stock::domain {
namespace {

TEST(KeyTest, real_skus_are_names) {
  const std::vector<std::string> names = {
      "85123A", "BANK CHARGES", "gift_0001_40", "größe", "日本", "a", std::string(64, 'x')};
  for (const std::string& name : names) {
    EXPECT_TRUE(validate_name("sku", name).ok()) << name;
  }
}

TEST(KeyTest, what_is_no_name_is_refused_with_the_reason) {
  EXPECT_EQ(validate_name("sku", "").message(), "sku is missing");
  EXPECT_EQ(validate_name("sku", std::string(65, 'x')).message(),
            "sku has 65 bytes; at most 64 are allowed");
  const std::string bad[] = {
      "a\nb",     "\t",           std::string("a\0b", 3), "\x7f",       "\xc2\x80", "\xff",
      "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",     "abc\xe2\x82"};
  for (const std::string& name : bad) EXPECT_FALSE(validate_name("sku", name).ok()) << name;
}

TEST(LevelTest, available_is_what_is_not_promised) {
  const Counts counts{
      .on_hand = 10, .reserved = 2, .committed = 3, .safety_stock = 1, .backorder_limit = 5};
  EXPECT_EQ(counts.available(), 4);
  EXPECT_EQ(counts.sellable(), 9);
  EXPECT_EQ((Counts{.on_hand = 1, .committed = 9}).available(), -8);
  EXPECT_EQ((Counts{.on_hand = 1, .committed = 9}).sellable(), 0);
}

TEST(LevelTest, the_largest_counts_do_not_overflow) {
  const Counts most{
      .on_hand = 0, .reserved = kMaxCount, .committed = kMaxCount, .safety_stock = kMaxCount};
  EXPECT_EQ(most.available(), -3 * kMaxCount);
  EXPECT_TRUE(in_range(most));
  EXPECT_FALSE(in_range({.on_hand = kMaxCount + 1}));
  EXPECT_FALSE(in_range({.reserved = -1}));
}

TEST(TextTest, what_is_not_printable_becomes_question_marks) {
  EXPECT_EQ(made_printable("größer ≥ 1"), "größer ≥ 1");
  EXPECT_EQ(made_printable("a\tb\xFFz\xE2\x89"), "a?b?z??");
  EXPECT_EQ(made_printable(""), "");
}

TEST(UuidTest, text_and_bytes_say_the_same) {
  const std::string text = "3f2b0c9e-7c1d-4f6a-9a54-0d6c4d1f2e11";
  ASSERT_TRUE(parse_uuid(text));
  EXPECT_EQ(format_uuid(*parse_uuid(text)), text);
  EXPECT_EQ(parse_uuid("3F2B0C9E-7C1D-4F6A-9A54-0D6C4D1F2E11"), parse_uuid(text));
  for (const std::string bad :
       {"", "3f2b0c9e7c1d4f6a9a540d6c4d1f2e11", "3f2b0c9e-7c1d-4f6a-9a54-0d6c4d1f2e1g",
        "3f2b0c9e-7c1d-4f6a-9a54_0d6c4d1f2e11", "{f2b0c9e-7c1d-4f6a-9a54-0d6c4d1f2e11}"}) {
    EXPECT_FALSE(parse_uuid(bad)) << bad;
  }
}

TEST(KindTest, names_come_back_as_kinds) {
  for (const auto kind :
       {MovementKind::kAdjust, MovementKind::kSet, MovementKind::kImport, MovementKind::kDirect}) {
    EXPECT_EQ(parse_kind(kind_name(kind)), kind);
  }
  EXPECT_FALSE(parse_kind("adjust"));
}

}  // namespace
}  // namespace stock::domain
