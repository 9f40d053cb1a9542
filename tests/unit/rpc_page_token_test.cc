#include <gtest/gtest.h>

#include <random>

#include "stock/rpc/page_token.h"

namespace stock::rpc {
namespace {

TEST(PageTokenTest, a_position_comes_back_as_it_was) {
  const std::vector<std::string> position = {"main", "BANK CHARGES \"ü\""};
  EXPECT_EQ(read_page_token("levels", make_page_token("levels", position)), position);
  EXPECT_EQ(read_page_token("levels", make_page_token("levels", {""})),
            std::vector<std::string>{""});
}

TEST(PageTokenTest, a_token_belongs_to_its_query) {
  EXPECT_FALSE(read_page_token("levels LON", make_page_token("levels MAN", {"x"})));
}

TEST(PageTokenTest, garbage_is_refused) {
  for (const std::string token : {"", "x", "garbage", "AAAAAAAAAAAAAAAAAAAAAAAA", "\xff\xfe"}) {
    EXPECT_FALSE(read_page_token("levels", token)) << token;
  }
}

TEST(PageTokenTest, every_changed_character_is_noticed) {
  const std::string token = make_page_token("levels", {"main", "85123A"});
  for (std::size_t i = 0; i < token.size(); ++i) {
    std::string changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    const auto read = read_page_token("levels", changed);
    // The last character may carry bits that nothing is made of.
    if (read) {
      EXPECT_EQ(*read, (std::vector<std::string>{"main", "85123A"}));
    }
  }
}

}  // namespace
}  // namespace stock::rpc
