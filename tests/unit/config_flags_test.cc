// The settings of feature flags.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "stock/config/config.h"

namespace stock::config {
namespace {

absl::StatusOr<Loaded> load_with(std::vector<std::string> flags) {
  std::vector<const char*> argv = {"stockd", "--primary-url", "postgresql://h/db"};
  for (const std::string& flag : flags) argv.push_back(flag.c_str());
  return load(static_cast<int>(argv.size()), argv.data(), {}, "1.2.3");
}

std::string error_with(std::vector<std::string> flags) {
  const auto loaded = load_with(std::move(flags));
  return std::string(loaded.status().message());
}

// A list of so many different names, with what follows each.
std::string names(int count, const std::string& rest) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    text += (i == 0 ? "" : ",") + std::string("n") + std::to_string(i) + rest;
  }
  return text;
}

TEST(ConfigFlags, there_are_none_unless_they_are_configured) {
  const auto loaded = load_with({});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->config.flags_address, "");
  EXPECT_TRUE(loaded->config.flags.empty());
  EXPECT_EQ(loaded->config.flags_down, FlagsDown::kLastKnown);
}

TEST(ConfigFlags, name_the_service_what_each_flag_does_and_the_cohorts) {
  const auto loaded = load_with({"--flags-address", "flagd:8013", "--flags",
                                 "black-friday=cap, recalled=hide,over=end-sale", "--cohorts",
                                 "beta,public", "--flags-down", "unflagged", "--flags-timeout",
                                 "100ms", "--flags-capacity", "50"});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const Config& config = loaded->config;
  EXPECT_EQ(config.flags_address, "flagd:8013");
  ASSERT_EQ(config.flags.size(), 3U);
  EXPECT_EQ(config.flags[0].flag, "black-friday");
  EXPECT_EQ(config.flags[0].effect, FlagEffect::kCap);
  EXPECT_EQ(config.flags[1].flag, "recalled");
  EXPECT_EQ(config.flags[1].effect, FlagEffect::kHide);
  EXPECT_EQ(config.flags[2].effect, FlagEffect::kEndSale);
  EXPECT_EQ(config.cohorts, (std::vector<std::string>{"beta", "public"}));
  EXPECT_EQ(config.flags_down, FlagsDown::kUnflagged);
  EXPECT_EQ(config.flags_timeout, std::chrono::milliseconds(100));
  EXPECT_EQ(config.flags_capacity, 50);
}

TEST(ConfigFlags, flags_and_their_service_are_of_no_use_without_each_other) {
  EXPECT_NE(error_with({"--flags-address", "flagd:8013"}).find("no flags"), std::string::npos);
  EXPECT_NE(error_with({"--flags", "a=cap"}).find("no flags_address"), std::string::npos);
}

TEST(ConfigFlags, names_are_different_and_effects_known_and_both_bounded) {
  const std::vector<std::string> address = {"--flags-address", "flagd:8013", "--flags"};
  const auto wrong = [&](const std::string& flags) {
    std::vector<std::string> all = address;
    all.push_back(flags);
    return !load_with(all).ok();
  };
  EXPECT_FALSE(wrong("a=cap"));
  for (const char* flags : {"a", "a=", "=cap", "a=double", "a=cap,a=hide", "a b=cap", "a=cap,"}) {
    EXPECT_TRUE(wrong(flags)) << flags;
  }
  EXPECT_FALSE(wrong(names(16, "=cap")));
  EXPECT_TRUE(wrong(names(17, "=cap")));
  EXPECT_TRUE(load_with({"--cohorts", names(16, "")}).ok());
  EXPECT_FALSE(load_with({"--cohorts", names(17, "")}).ok());
  EXPECT_FALSE(load_with({"--cohorts", "a,a"}).ok());
  EXPECT_FALSE(load_with({"--cohorts", "a,"}).ok());
  EXPECT_FALSE(load_with({"--flags-down", "panic"}).ok());
  for (const char* wrong_address : {"flagd", "flagd:0", "flagd:x", ":1"}) {
    EXPECT_FALSE(load_with({"--flags-address", wrong_address, "--flags", "a=cap"}).ok())
        << wrong_address;
  }
}

TEST(ConfigFlags, what_is_printed_without_any_is_an_empty_list) {
  const auto loaded = load_with({"--print-config"});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_NE(loaded->text.value_or("").find("\nflags = []  # default\ncohorts = []  # default\n"),
            std::string::npos)
      << *loaded->text;
}

}  // namespace
}  // namespace stock::config
