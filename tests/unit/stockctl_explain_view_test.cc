#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "google/protobuf/text_format.h"
#include "stockctl/text/utf8.h"
#include "stockctl/text/wrap.h"
#include "stockctl/view/explain_view.h"

namespace stockctl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Le;

constexpr Terminal kScreen{.color = false, .width = 80};

template <typename Message>
Message parse(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

std::string explained(const stock::v1::ExplainStockLevelResponse& response,
                      const Terminal& terminal = kScreen) {
  std::ostringstream out;
  print_explanation(out, response, terminal);
  return out.str();
}

void expect_fits(const std::string& text, std::size_t width) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_THAT(width_of(line), Le(width)) << line;
}

constexpr const char* kExplanation = R"pb(
  instance: "stockd-1"
  keys {
    key { sku: "LANTERN-42" location: "LON" }
    exists: true
    counts { on_hand: 126 committed: 6 available: 120 }
    version: 18
    findings {
      statement {
        witness: "memory"
        outcome: OUTCOME_MISS
        asked_before { seconds: 1795486029 nanos: 480000000 }
      }
      verdict: VERDICT_ABSENT
      words: "it has no copy"
    }
    findings {
      statement {
        witness: "redis"
        outcome: OUTCOME_HIT
        exists: true
        counts { on_hand: 42 available: 42 }
        version: 15
        as_of { seconds: 1795485791 }
        true_through { seconds: 1795485800 }
        asked_before { seconds: 1795486029 nanos: 480000000 }
      }
      verdict: VERDICT_STALE
      words: "42 was true from 02:03:11.000 to 02:03:15.000, 3 versions ago; superseded by version 16: adjust, order/536365, by shop"
    }
    findings {
      statement {
        witness: "primary"
        outcome: OUTCOME_HIT
        exists: true
        counts { on_hand: 126 committed: 6 available: 120 }
        version: 18
        as_of { seconds: 1795486019 nanos: 100000000 }
        true_through { seconds: 1795486029 nanos: 479000000 }
        asked_before { seconds: 1795486029 nanos: 480000000 }
      }
      verdict: VERDICT_CURRENT
      words: "120 is true, since 02:06:59.100"
    }
    movements {
      key { sku: "LANTERN-42" location: "LON" }
      version: 18
      kind: MOVEMENT_KIND_ADJUST
      delta { on_hand: -6 }
      counts_after { on_hand: 126 committed: 6 available: 120 }
      committed_at { seconds: 1795486019 nanos: 100000000 }
      reason: "sale"
      reference: "order/536365"
      actor: "shop"
    }
  })pb";

TEST(StockctlExplainView, every_witness_side_by_side_and_the_verdict_in_words) {
  EXPECT_EQ(explained(parse<stock::v1::ExplainStockLevelResponse>(kExplanation)),
            "LANTERN-42 @ LON, by stockd-1\n"
            "The ledger: 120 available (on hand 126, committed 6), version 18\n"
            "\n"
            "WITNESS  AVAILABLE  VERSION  COMMITTED     TRUE THROUGH         AGE\n"
            "memory           -        -  -             -                      -\n"
            "         absent: it has no copy\n"
            "redis           42       15  02:03:11.000  02:03:20.000  3 min 50 s\n"
            "         STALE: 42 was true from 02:03:11.000 to 02:03:15.000, 3 versions ago;\n"
            "         superseded by version 16: adjust, order/536365, by shop\n"
            "primary        120       18  02:06:59.100  02:07:09.479      1.0 ms\n"
            "         current: 120 is true, since 02:06:59.100\n"
            "\n"
            "VERSION  COMMITTED (UTC)      KIND    CHANGE  ON HAND  AVAILABLE  WHY\n"
            "     18  2026-11-24 02:06:59  adjust      -6      126        120  sale order/53…\n");
}

TEST(StockctlExplainView, judged_by_what_was_true_at_an_instant) {
  auto response = parse<stock::v1::ExplainStockLevelResponse>(kExplanation);
  response.mutable_read_time()->set_seconds(1795485795);
  auto& key = *response.mutable_keys(0);
  auto& then = *key.mutable_then();
  then.set_exists(true);
  then.mutable_counts()->set_on_hand(60);
  then.mutable_counts()->set_available(60);
  then.set_version(16);
  key.mutable_findings(1)->set_words_then("by then it had been replaced, at 02:03:15.000");
  const std::string text = explained(response);
  EXPECT_THAT(text, HasSubstr("At 2026-11-24 02:03:15.000 UTC: 60 available (on hand 60), version "
                              "16\n"));
  EXPECT_THAT(text, HasSubstr("by shop\n         at that instant: by then it had been replaced, at "
                              "02:03:15.000\n"));
  key.mutable_then()->set_in_transition(true);
  EXPECT_THAT(explained(response), HasSubstr("version 16; it was\njust becoming true\n"));
  key.clear_then();
  EXPECT_THAT(explained(response), HasSubstr("UTC: pruned, nobody can say\n"));
}

TEST(StockctlExplainView, wide_names_and_huge_numbers_fit_on_a_screen) {
  auto response = parse<stock::v1::ExplainStockLevelResponse>(kExplanation);
  auto& key = *response.mutable_keys(0);
  const std::string wide(40, 'X');
  key.mutable_key()->set_sku(wide);
  for (auto& finding : *key.mutable_findings()) {
    auto& statement = *finding.mutable_statement();
    statement.mutable_counts()->set_available(-1'000'000'000'000'000);
    statement.set_version(9'999'999);
    finding.set_words(wide + wide + wide + " " + wide);
  }
  auto& counts = *key.mutable_counts();
  counts.set_on_hand(1'000'000'000'000'000);
  counts.set_reserved(1'000'000'000'000'000);
  counts.set_available(-6);
  const std::string text = explained(response);
  EXPECT_THAT(text, HasSubstr("redis    -1,000,000,000,000,000  9,999,999  02:03:11.…"));
  EXPECT_THAT(text, HasSubstr("The ledger: -6 available (on hand 1,000,000,000,000,000, reserved\n"
                              "1,000,000,000,000,000, committed 6), version 18\n"));
  expect_fits(text, 80);
}

TEST(StockctlExplainView, lies_are_red_and_others_words_do_not_steer_the_terminal) {
  auto response = parse<stock::v1::ExplainStockLevelResponse>(kExplanation);
  response.mutable_keys(0)->mutable_findings(1)->set_words("a\x1b[2Jb");
  const std::string text = explained(response, {.color = true, .width = 80});
  EXPECT_EQ(text.find("\x1b[2J"), std::string::npos);
  EXPECT_THAT(text, HasSubstr("\x1b[31mSTALE: a"));
}

TEST(StockctlExplainView, an_audit_names_the_liars_and_sums_up) {
  const auto response = parse<stock::v1::AuditStockLevelsResponse>(R"pb(
    instance: "stockd-1"
    findings {
      key { sku: "LANTERN-42" location: "LON" }
      findings {
        statement { witness: "redis" outcome: OUTCOME_HIT }
        verdict: VERDICT_WRONG_COUNT
        words: "version 18 has 120, not 42"
      }
    }
    verdicts { witness: "redis" verdict: VERDICT_CURRENT keys: 999 }
    verdicts { witness: "redis" verdict: VERDICT_WRONG_COUNT keys: 1 }
    verdicts { witness: "primary" verdict: VERDICT_CURRENT keys: 1000 })pb");
  std::ostringstream out;
  print_audit(out, response, kScreen);
  EXPECT_EQ(out.str(),
            "LANTERN-42 @ LON, redis\n"
            "  WRONG COUNT: version 18 has 120, not 42\n"
            "\n"
            "WITNESS  VERDICTS\n"
            "redis    999 current, 1 WRONG COUNT\n"
            "primary  1,000 current\n");
}

TEST(StockctlExplainView, a_repair_shows_what_was_said_before_and_after) {
  const auto response = parse<stock::v1::RepairStockLevelResponse>(R"pb(
    before {
      statement { witness: "redis" outcome: OUTCOME_MISS }
      verdict: VERDICT_AHEAD
      words: "there is no version 9"
    }
    after {
      statement { witness: "redis" outcome: OUTCOME_MISS }
      verdict: VERDICT_ABSENT
      words: "it has no copy"
    })pb");
  std::ostringstream out;
  print_repair(out, response, kScreen);
  EXPECT_EQ(out.str(),
            "Before\n"
            "WITNESS  AVAILABLE  VERSION  COMMITTED  TRUE THROUGH  AGE\n"
            "redis            -        -  -          -               -\n"
            "         AHEAD: there is no version 9\n"
            "\n"
            "After\n"
            "WITNESS  AVAILABLE  VERSION  COMMITTED  TRUE THROUGH  AGE\n"
            "redis            -        -  -          -               -\n"
            "         absent: it has no copy\n");
}

TEST(StockctlWrap, lines_break_at_spaces_and_long_words_where_they_have_to) {
  EXPECT_THAT(wrapped("one two three", 7), ElementsAre("one two", "three"));
  EXPECT_THAT(wrapped("one two three", 6), ElementsAre("one", "two", "three"));
  EXPECT_THAT(wrapped("abcdefgh ij", 4), ElementsAre("abcd", "efgh", "ij"));
  EXPECT_THAT(wrapped("µµµµ µµ", 4), ElementsAre("µµµµ", "µµ"));
  EXPECT_THAT(wrapped("", 4), ElementsAre(""));
}

}  // namespace
}  // namespace stockctl
