#include <gtest/gtest.h>

#include "stock/config/endpoints.h"
#include "stock/config/redact.h"

namespace stock::config {
namespace {

TEST(ConfigAddress, is_read_and_written_with_brackets_around_ipv6) {
  EXPECT_EQ(*parse_address("localhost:1"), (Address{.host = "localhost", .port = 1}));
  EXPECT_EQ(*parse_address("[::1]:70"), (Address{.host = "::1", .port = 70}));
  EXPECT_EQ(parse_address("[::1]:70")->text(), "[::1]:70");
  for (const char* bad : {"", ":1", "h", "h:", "h:x", "h:-1", "h:+1", "a b:1", "[h]:1", "::1"}) {
    EXPECT_FALSE(parse_address(bad).ok()) << bad;
  }
}

TEST(ConfigRedisUrl, has_defaults_for_all_but_the_host) {
  EXPECT_EQ(*parse_redis_url("redis://h"),
            (RedisEndpoint{.address = {.host = "h", .port = 6379}, .user = "", .password = ""}));
  EXPECT_EQ(*parse_redis_url("redis://u:p@h:1/2"),
            (RedisEndpoint{
                .address = {.host = "h", .port = 1}, .user = "u", .password = "p", .database = 2}));
  EXPECT_EQ(parse_redis_url("redis://[::1]")->address.host, "::1");
  EXPECT_EQ(parse_redis_url("redis://:p@[::1]:5/")->address.port, 5);
}

TEST(ConfigRedisUrl, user_and_password_are_percent_decoded) {
  const auto endpoint = parse_redis_url("redis://u%40x:p%2Fw%3a@h");
  EXPECT_EQ(endpoint->user, "u@x");
  EXPECT_EQ(endpoint->password, "p/w:");
}

TEST(ConfigRedisUrl, refuses_what_it_cannot_mean_without_repeating_it) {
  for (const char* bad : {"", "h:1", "rediss://h", "redis://", "redis://h:0", "redis://h:x",
                          "redis://h/x", "redis://u:hush%2@h", "redis://u:hush%zz@h"}) {
    const auto endpoint = parse_redis_url(bad);
    ASSERT_FALSE(endpoint.ok()) << bad;
    EXPECT_EQ(std::string(endpoint.status().message()).find("hush"), std::string::npos);
  }
}

TEST(ConfigRedact, hides_the_password_of_a_url) {
  EXPECT_EQ(redact("postgresql://u:p@h:1/d?sslmode=disable"),
            "postgresql://u:***@h:1/d?sslmode=disable");
  EXPECT_EQ(redact("redis://:p@h"), "redis://:***@h");
  EXPECT_EQ(redact("postgresql://u:p@q/r@h/d"), "postgresql://u:***@h/d");
}

TEST(ConfigRedact, hides_passwords_in_queries_and_keywords) {
  EXPECT_EQ(redact("postgresql://h/d?password=p&sslmode=disable&sslpassword=q"),
            "postgresql://h/d?password=***&sslmode=disable&sslpassword=***");
  EXPECT_EQ(redact("host=h password=p user=u"), "host=h password=*** user=u");
  EXPECT_EQ(redact("password = 'p \\' q' user=u"), "password = *** user=u");
  EXPECT_EQ(redact("host=h PASSWORD='unclosed"), "host=h PASSWORD=***");
}

TEST(ConfigRedact, leaves_what_holds_no_password_alone) {
  for (const char* url :
       {"", "redis://h:6379/0", "postgresql://u@h:5432/d", "host=h user=u", "host=h passfile=/p"}) {
    EXPECT_EQ(redact(url), url);
  }
}

}  // namespace
}  // namespace stock::config
