#include <gtest/gtest.h>

#include "stock/postgres/dsn.h"

namespace stock::postgres {
namespace {

const std::vector<std::pair<std::string, std::string>> kDefaults = {
    {"application_name", "stockd it's a"}, {"connect_timeout", "2"}};

TEST(PostgresDsn, a_url_is_extended) {
  EXPECT_EQ(dsn_with_defaults("postgresql://u:p@h:1/d", kDefaults),
            "postgresql://u:p@h:1/d?application_name=stockd%20it%27s%20a&connect_timeout=2");
}

TEST(PostgresDsn, what_a_url_sets_itself_stays) {
  EXPECT_EQ(dsn_with_defaults("postgresql://h/d?sslmode=require&connect_timeout=7", kDefaults),
            "postgresql://h/d?sslmode=require&connect_timeout=7"
            "&application_name=stockd%20it%27s%20a");
  EXPECT_EQ(dsn_with_defaults("postgresql://h/d?fallback_application_name=x",
                              {{"application_name", "y"}}),
            "postgresql://h/d?fallback_application_name=x&application_name=y");
}

TEST(PostgresDsn, of_keywords_the_last_one_counts) {
  EXPECT_EQ(dsn_with_defaults("host=h connect_timeout=7", kDefaults),
            "application_name='stockd it\\'s a' connect_timeout='2' host=h connect_timeout=7");
}

}  // namespace
}  // namespace stock::postgres
