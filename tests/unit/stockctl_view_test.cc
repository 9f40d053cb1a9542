#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "google/protobuf/text_format.h"
#include "google/rpc/status.pb.h"
#include "stockctl/cli/command_line.h"
#include "stockctl/cli/exit_code.h"
#include "stockctl/rpc/error_details.h"
#include "stockctl/view/error_view.h"
#include "stockctl/view/level_view.h"
#include "stockctl/view/provenance_view.h"
#include "stockctl/view/tables.h"

namespace stockctl {
namespace {

template <typename Message>
Message parse(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

std::string level_text(const std::string& response) {
  std::ostringstream out;
  print_level(out, parse<stock::v1::GetStockLevelResponse>(response), {});
  return out.str();
}

TEST(StockctlLevelView, says_the_count_the_layer_the_age_and_the_trail_at_a_glance) {
  EXPECT_EQ(level_text(R"pb(
              level {
                key { sku: "LANTERN-42" location: "LON" }
                exists: true
                counts { on_hand: 1210 committed: 6 available: 1204 }
                version: 17
                provenance {
                  layer: LAYER_REDIS
                  as_of { seconds: 1795485791 nanos: 123000000 }
                  true_through { seconds: 1795486029 nanos: 480000000 }
                  age { seconds: 1 nanos: 200000000 }
                }
              }
              provenance {
                age { seconds: 1 nanos: 200000000 }
                uncertainty { nanos: 400000 }
                instance: "stockd-1"
                trail {
                  layer: LAYER_MEMORY
                  outcome: OUTCOME_MISS
                  keys: 1
                  time { nanos: 3000 }
                }
                trail {
                  layer: LAYER_REDIS
                  outcome: OUTCOME_HIT
                  keys: 1
                  time { nanos: 210000 }
                }
              })pb"),
            "LANTERN-42 @ LON\n"
            "\n"
            "  available    1,204  on hand 1,210, reserved 0, committed 6, safety stock 0\n"
            "  version      17     committed 2026-11-24 02:03:11.123 UTC, 4 min ago\n"
            "  answered by  redis  true through 02:07:09.480 UTC, 1.2 s old (± 400 µs)\n"
            "  trail        memory miss 3 µs → redis hit 210 µs\n"
            "  instance     stockd-1\n");
}

// Of a level whose answer was given at 02:07:10.680.
std::string holds_text(const std::string& level) {
  const std::string text =
      level_text(R"pb(level { key { sku: "X" location: "LON" }
                              exists: true
                              counts { on_hand: 5 reserved: 3 available: 2 }
                              version: 3
                              provenance {
                                layer: LAYER_PRIMARY
                                true_through { seconds: 1795486029 nanos: 480000000 }
                                age { seconds: 1 nanos: 200000000 }
                              })pb" +
                 level + "}");
  const auto begin = text.find("  holds ");
  return begin == std::string::npos ? "" : text.substr(begin, text.find('\n', begin) - begin);
}

TEST(StockctlLevelView, says_when_the_first_hold_may_end) {
  EXPECT_EQ(holds_text("earliest_expire_time { seconds: 1795486624 nanos: 680001000 }"),
            "  holds        none ends before 2026-11-24 02:17:04.680 UTC, in 9 min 54 s");
  EXPECT_EQ(holds_text("earliest_expire_time { seconds: 1795486029 nanos: 680000000 }"),
            "  holds        none ended before 2026-11-24 02:07:09.680 UTC, 1.0 s ago");
  EXPECT_EQ(holds_text(""), "  holds        when the first of them ends is not known");
  EXPECT_EQ(holds_text("earliest_expire_time { seconds: 1795572029 nanos: 1000000 }"),
            "  holds        none ends before 2026-11-25 02:00:29.001 UTC, in 23 h 53 min");
}

TEST(StockctlLevelView, a_version_that_was_just_becoming_true_is_named_so) {
  const std::string text = level_text(R"pb(
    level {
      key { sku: "X" location: "LON" }
      exists: true
      version: 3
      provenance { layer: LAYER_PRIMARY in_transition: true }
    })pb");
  EXPECT_NE(text.find("nobody can say whether it or the"), std::string::npos);
}

TEST(StockctlLevelView, a_key_without_a_level_is_no_zero) {
  const std::string text = level_text(R"pb(
    level {
      key { sku: "X" location: "LON" }
      provenance { layer: LAYER_PRIMARY }
    })pb");
  EXPECT_NE(text.find("none"), std::string::npos);
  EXPECT_NE(text.find("nothing was ever booked here"), std::string::npos);
}

std::string trail_text(const std::string& provenance) {
  std::ostringstream out;
  print_trail(out, parse<stock::v1::Provenance>(provenance), 4, {});
  return out.str();
}

TEST(StockctlTrail, shows_bypassed_layers_failures_and_what_went_wrong) {
  EXPECT_EQ(trail_text(R"pb(
              trail { layer: LAYER_MEMORY outcome: OUTCOME_BYPASSED keys: 1 }
              trail {
                layer: LAYER_REDIS
                outcome: OUTCOME_TIMEOUT
                keys: 1
                time { nanos: 50000000 }
                detail: "no answer within 50 ms"
              }
              trail {
                layer: LAYER_PRIMARY
                outcome: OUTCOME_HIT
                keys: 1
                time { nanos: 1800000 }
              })pb"),
            "memory bypassed → redis timeout 50 ms → primary hit 1.8 ms\n"
            "    redis: no answer within 50 ms\n");
}

TEST(StockctlTrail, counts_keys_when_there_are_many) {
  EXPECT_EQ(trail_text(R"pb(
              trail { layer: LAYER_MEMORY outcome: OUTCOME_HIT keys: 900 }
              trail { layer: LAYER_MEMORY outcome: OUTCOME_MISS keys: 100 }
              trail {
                layer: LAYER_REPLICA
                outcome: OUTCOME_HIT
                keys: 100
                time { nanos: 300000 }
              })pb"),
            "memory 900 hit, 100 miss → replica 100 hit 300 µs\n");
}

TEST(StockctlProvenance, of_several_parts_has_the_greatest_age_and_every_visit) {
  auto whole = parse<stock::v1::Provenance>(R"pb(
    age { seconds: 1 }
    trail { layer: LAYER_MEMORY outcome: OUTCOME_HIT keys: 2 })pb");
  merge_provenance(whole, parse<stock::v1::Provenance>(R"pb(
                     age { seconds: 3 }
                     trail { layer: LAYER_MEMORY outcome: OUTCOME_HIT keys: 5 }
                     trail { layer: LAYER_REDIS outcome: OUTCOME_HIT keys: 1 })pb"));
  EXPECT_EQ(whole.age().seconds(), 3);
  ASSERT_EQ(whole.trail_size(), 2);
  EXPECT_EQ(whole.trail(0).keys(), 7);
}

TEST(StockctlHistory, a_change_around_the_service_has_its_name_on_it) {
  std::ostringstream out;
  print_history(out, parse<stock::v1::ListStockMovementsResponse>(R"pb(
                  movements {
                    version: 18
                    kind: MOVEMENT_KIND_DIRECT
                    delta { on_hand: -78 available: -78 }
                    counts_after { on_hand: 42 available: 42 }
                    committed_at { seconds: 1795486029 }
                    actor: "postgres (psql)"
                  })pb"),
                {});
  EXPECT_EQ(
      out.str(),
      "VERSION  COMMITTED (UTC)      KIND    CHANGE  ON HAND  AVAILABLE  WHY\n"
      "     18  2026-11-24 02:07:09  direct     -78       42         42  by postgres (psql)\n");
}

absl::Status insufficient_stock() {
  google::rpc::Status details;
  google::rpc::ErrorInfo info;
  info.set_reason("INSUFFICIENT_STOCK");
  details.add_details()->PackFrom(info);
  google::rpc::PreconditionFailure failure;
  auto& violation = *failure.add_violations();
  violation.set_subject("LANTERN-42@LON");
  violation.set_description("short by 3");
  details.add_details()->PackFrom(failure);
  absl::Status status = absl::FailedPreconditionError("not enough stock");
  attach_details(status, details.SerializeAsString(), "");
  return status;
}

TEST(StockctlErrorView, says_what_happened_and_what_to_do) {
  std::ostringstream err;
  print_error(err, insufficient_stock(), "127.0.0.1:7070", {});
  EXPECT_EQ(err.str(),
            "stockctl: not enough stock (INSUFFICIENT_STOCK)\n"
            "  LANTERN-42@LON: short by 3\n"
            "Nothing was changed.\n");
}

TEST(StockctlErrorView, a_server_that_is_not_there_is_named) {
  std::ostringstream err;
  print_error(err, absl::UnavailableError("connection refused"), "127.0.0.1:7070", {});
  EXPECT_NE(err.str().find("Is stockd listening at 127.0.0.1:7070?"), std::string::npos);
}

TEST(StockctlErrorView, malformed_details_do_no_harm) {
  absl::Status status = absl::InternalError("odd");
  attach_details(status, "\xff\xff\xff", "\xff\xff");
  std::ostringstream err;
  print_error(err, status, "127.0.0.1:7070", {});
  EXPECT_EQ(err.str(), "stockctl: odd\n");
}

TEST(StockctlErrorView, programs_get_the_details_as_json) {
  std::ostringstream err;
  print_error_json(err, insufficient_stock());
  EXPECT_NE(err.str().find("\"reason\": \"INSUFFICIENT_STOCK\""), std::string::npos);
  EXPECT_NE(err.str().find("\"code\": 9"), std::string::npos);
}

TEST(StockctlExitCode, tells_refused_missing_and_unavailable_apart) {
  EXPECT_EQ(exit_code_of(absl::OkStatus()), 0);
  EXPECT_EQ(exit_code_of(absl::FailedPreconditionError("")), 1);
  EXPECT_EQ(exit_code_of(absl::AbortedError("")), 1);
  EXPECT_EQ(exit_code_of(absl::OutOfRangeError("")), 1);
  EXPECT_EQ(exit_code_of(absl::InvalidArgumentError("")), 2);
  EXPECT_EQ(exit_code_of(absl::NotFoundError("")), 3);
  EXPECT_EQ(exit_code_of(absl::UnavailableError("")), 4);
  EXPECT_EQ(exit_code_of(absl::DeadlineExceededError("")), 4);
  EXPECT_EQ(exit_code_of(absl::InternalError("")), 5);
}

struct Ran {
  int exit_code;
  std::string out;
  std::string err;
};

Ran run_with(std::vector<const char*> words) {
  words.insert(words.begin(), "stockctl");
  std::ostringstream out;
  std::ostringstream err;
  const int exit_code = run(static_cast<int>(words.size()), words.data(), out, err);
  return {exit_code, out.str(), err.str()};
}

TEST(StockctlCommandLine, wrong_usage_is_exit_code_two_and_names_the_help) {
  for (const std::vector<const char*>& words : std::vector<std::vector<const char*>>{
           {},
           {"get"},
           {"get", "A", "--bogus"},
           {"get", "A", "--deadline", "5"},
           {"get", "A", "--max-staleness", "1s", "--fully-consistent"},
           {"get", "A", "--at", "soon"},
           {"get", "A", "--at", "02:07", "--version", "3"},
           {"get", "A", "--at-least-as-fresh", "token", "--fully-consistent"},
           {"list", "--at", "02:07"},
           {"batch", "A", "--version", "3"},
           {"ledger"},
           {"ledger", "adopt", "--database-url"},
           {"adjust", "A", "B"},
           {"adjust", "A=1.5"},
           {"check", "A=0"},
           {"set", "A", "many"},
           {"replay", "f.csv", "--speed", "-1"},
           {"nonsense"}}) {
    const Ran ran = run_with(words);
    EXPECT_EQ(ran.exit_code, 2) << ran.err;
    EXPECT_EQ(ran.out, "");
    EXPECT_NE(ran.err, "");
  }
}

TEST(StockctlCommandLine, help_has_examples_and_exit_codes) {
  const Ran whole = run_with({"--help"});
  EXPECT_EQ(whole.exit_code, 0);
  EXPECT_NE(whole.out.find("130  stopped by Ctrl-C"), std::string::npos);
  for (const char* command :
       {"get", "batch", "total", "list", "check", "history", "watch", "stream", "adjust", "set",
        "import", "replay", "locations", "ledger", "completion"}) {
    const Ran ran = run_with({command, "--help"});
    EXPECT_EQ(ran.exit_code, 0);
    EXPECT_NE(ran.out.find("Examples:\n  "), std::string::npos) << command;
    std::istringstream lines(ran.out);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80u) << line;
  }
  std::istringstream adopt(run_with({"ledger", "adopt", "--help"}).out);
  for (std::string line; std::getline(adopt, line);) EXPECT_LE(line.size(), 80u) << line;
}

TEST(StockctlCommandLine, completion_knows_every_command_and_option) {
  for (const char* shell : {"bash", "zsh"}) {
    const Ran ran = run_with({"completion", shell});
    EXPECT_EQ(ran.exit_code, 0);
    for (const char* word : {"locations create", "--max-staleness", "--in-flight", "--address",
                             "--at-least-as-fresh", "ledger adopt", "--database-url"}) {
      EXPECT_NE(ran.out.find(word), std::string::npos) << word;
    }
  }
}

TEST(StockctlCommandLine, a_server_that_is_not_there_is_exit_code_four) {
  const Ran ran = run_with({"get", "LANTERN-42@LON", "--address", "127.0.0.1:1"});
  EXPECT_EQ(ran.exit_code, 4);
  EXPECT_EQ(ran.out, "");
}

}  // namespace
}  // namespace stockctl
