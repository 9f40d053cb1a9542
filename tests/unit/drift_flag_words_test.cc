// Flags in words.
#include <gtest/gtest.h>

#include "stock/drift/flag_words.h"

namespace stock::drift {
namespace {

const std::vector<domain::Flag> kFlags = {{"black-friday", domain::FlagEffect::kCap},
                                          {"recalled", domain::FlagEffect::kHide},
                                          {"over", domain::FlagEffect::kEndSale}};

std::string words_of(double cap, bool hide, bool end, std::int64_t available = 1200) {
  const domain::FlagsSaid said = {
      {"capped", "TARGETING_MATCH", cap}, {"on", "STATIC", hide}, {"yes", "SPLIT", end}};
  return flag_words("beta", kFlags, said, domain::flagged(kFlags, said, available), available);
}

TEST(FlagWords, name_the_flag_its_variant_and_what_is_seen_of_what_there_is) {
  EXPECT_EQ(words_of(5, false, false),
            "flag black-friday, variant capped (TARGETING_MATCH): cohort beta sees 5 of 1,200");
  EXPECT_EQ(words_of(-1, true, false),
            "flag recalled, variant on (STATIC): hidden from cohort beta; 1,200 are available");
  EXPECT_EQ(words_of(5, false, true),
            "flag black-friday, variant capped (TARGETING_MATCH); flag over, variant yes (SPLIT): "
            "no longer sold to cohort beta; 1,200 are available");
  EXPECT_EQ(words_of(-1, false, false), "no flag changes what cohort beta sees: 1,200");
  EXPECT_EQ(words_of(-1, true, false, -3),
            "flag recalled, variant on (STATIC): hidden from cohort beta; 0 are available");
}

}  // namespace
}  // namespace stock::drift
