// What flags let cohorts see, as people see that.
#include <gtest/gtest.h>

#include <sstream>

#include "stockctl/text/utf8.h"
#include "stockctl/view/flag_view.h"
#include "stockctl/view/level_view.h"

namespace stockctl {
namespace {

stock::v1::FlaggedAvailability flagged(const std::string& cohort, std::int64_t available) {
  stock::v1::FlaggedAvailability flagged;
  flagged.set_cohort(cohort);
  flagged.set_available(available);
  return flagged;
}

stock::v1::FlagEvaluation& evaluate(stock::v1::FlaggedAvailability& flagged,
                                    const std::string& flag, const std::string& variant) {
  stock::v1::FlagEvaluation& evaluation = *flagged.add_evaluations();
  evaluation.set_flag(flag);
  evaluation.set_applies(true);
  evaluation.set_variant(variant);
  evaluation.set_reason("TARGETING_MATCH");
  evaluation.mutable_age()->set_nanos(250'000'000);
  return evaluation;
}

stock::v1::Fork fork_of(const std::string& sku, bool forked) {
  stock::v1::Fork fork;
  fork.mutable_truth()->mutable_key()->set_sku(sku);
  fork.mutable_truth()->mutable_key()->set_location("LON");
  fork.mutable_truth()->set_exists(true);
  fork.mutable_truth()->mutable_counts()->set_available(120);
  fork.set_forked(forked);
  return fork;
}

std::string printed(const stock::v1::ListForksResponse& response, Terminal terminal = {}) {
  std::ostringstream out;
  print_forks(out, response, terminal);
  return out.str();
}

TEST(StockctlFlagView, each_cohort_with_the_flags_that_make_it_see_less) {
  stock::v1::ListForksResponse response;
  stock::v1::Fork& fork = *response.add_forks() = fork_of("MUG", true);
  auto& beta = *fork.add_cohorts() = flagged("beta", 0);
  beta.set_hidden(true);
  evaluate(beta, "black-friday", "capped");
  evaluate(beta, "recalled", "on");
  *fork.add_cohorts() = flagged("public", 120);
  EXPECT_EQ(printed(response),
            "MUG @ LON: 120 available, FORKED\n"
            "COHORT    SEES  FLAG          VARIANT  REASON           SAID\n"
            "beta    hidden  black-friday  capped   TARGETING_MATCH  250 ms ago\n"
            "                recalled      on       TARGETING_MATCH  250 ms ago\n"
            "public     120  -             -        -                -\n");
}

TEST(StockctlFlagView, a_service_that_does_not_answer_is_told_and_what_was_said_when) {
  stock::v1::ListForksResponse response;
  stock::v1::Fork& fork = *response.add_forks() = fork_of("MUG", false);
  auto& beta = *fork.add_cohorts() = flagged("beta", 5);
  evaluate(beta, "black-friday", "capped").set_unreachable(true);
  auto& gold = *fork.add_cohorts() = flagged("gold", 120);
  gold.add_evaluations()->set_unreachable(true);
  const std::string text = printed(response);
  EXPECT_NE(text.find("so it said 250 ms ago\n"), std::string::npos) << text;
  EXPECT_NE(text.find("as it is without flags\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("FORKED"), std::string::npos) << text;
}

TEST(StockctlFlagView, fits_on_a_screen_and_lets_nobody_steer_the_terminal) {
  stock::v1::ListForksResponse response;
  stock::v1::Fork& fork = *response.add_forks() = fork_of("MUG\x1b[2J", true);
  auto& beta = *fork.add_cohorts() = flagged("be\x1b[2Jta", 5);
  evaluate(beta, std::string(64, 'f'), std::string(64, 'v')).set_reason("\x1b[31m");
  const std::string text = printed(response, {.color = false, .width = 80});
  EXPECT_EQ(text.find('\x1b'), std::string::npos) << text;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(width_of(line), 80U) << line;
}

TEST(StockctlFlagView, nothing_to_tell) {
  EXPECT_EQ(printed({}), "No cohorts contradict each other on what was lately asked for.\n");
}

TEST(StockctlFlagView, a_level_with_what_a_cohort_sees_of_it) {
  stock::v1::GetStockLevelResponse response;
  *response.mutable_level() = fork_of("MUG", false).truth();
  auto& beta = *response.mutable_level()->mutable_flagged() = flagged("beta", 5);
  evaluate(beta, "black-friday", "capped");
  std::ostringstream out;
  print_level(out, response, {});
  const std::string text = out.str();
  EXPECT_NE(text.find("\n  seen by      5"), std::string::npos) << text;
  EXPECT_NE(text.find("beta, as was said 250 ms ago\n"
                      "  flag         black-friday, variant capped (TARGETING_MATCH)\n"),
            std::string::npos)
      << text;
}

}  // namespace
}  // namespace stockctl
