#include <gtest/gtest.h>

#include <random>
#include <string>

#include "absl/strings/escaping.h"
#include "stock/rpc/token.h"

namespace stock::rpc {
namespace {

Token token() {
  Token token{.ledger = 0x0123456789abcdef,
              .write = {.incarnation = 0xfedcba9876543210, .xid = 4711},
              .request = {}};
  for (std::size_t i = 0; i < token.request.size(); ++i) {
    token.request[i] = static_cast<std::uint8_t>(250 + i);
  }
  return token;
}

TEST(TokenTest, a_token_comes_back_as_it_was) {
  const std::string text = make_token(token());
  EXPECT_EQ(text.size(), kTokenCharacters);
  EXPECT_EQ(
      text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"),
      std::string::npos);
  EXPECT_EQ(read_token(text), token());
  EXPECT_EQ(read_token(make_token({})), Token{});
}

TEST(TokenTest, garbage_is_refused) {
  for (const std::string& text :
       {std::string(), std::string("x"), std::string(64, 'A'), std::string(64, ' '),
        std::string(64, '\xff'), std::string(1 << 20, 'A'), make_token(token()) + "A",
        " " + make_token(token()), make_token(token()).substr(1)}) {
    EXPECT_FALSE(read_token(text)) << text.substr(0, 80);
  }
}

TEST(TokenTest, every_changed_character_is_noticed) {
  const std::string text = make_token(token());
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(read_token(changed)) << i;
  }
}

TEST(TokenTest, another_version_of_the_format_is_refused) {
  std::string bytes;
  ASSERT_TRUE(absl::WebSafeBase64Unescape(make_token(token()), &bytes));
  ASSERT_EQ(bytes[0], 1);
  // The checksum of what stands there now, by its definition.
  bytes[0] = 2;
  std::uint64_t hash = 0xcbf29ce484222325;
  for (std::size_t i = 0; i < bytes.size() - 7; ++i) {
    hash = (hash ^ static_cast<std::uint8_t>(bytes[i])) * 0x100000001b3;
  }
  for (std::size_t i = 0; i < 7; ++i) {
    bytes[bytes.size() - 1 - i] = static_cast<char>(hash >> 8 * i & 0xFF);
  }
  EXPECT_FALSE(read_token(absl::WebSafeBase64Escape(bytes)));
}

TEST(TokenTest, random_text_is_no_token) {
  std::minstd_rand random(20261124);
  for (int i = 0; i < 10'000; ++i) {
    std::string text(kTokenCharacters, ' ');
    for (char& c : text) c = static_cast<char>(33 + random() % 94);
    EXPECT_FALSE(read_token(text)) << text;
  }
}

}  // namespace
}  // namespace stock::rpc
