// What a testimony's dates mean by the database's clock, whatever its witness's clock reads; and
// what the ledger says of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "stock/drift/testimony.h"
#include "stock/drift/witness_clocks.h"

namespace stock::drift {
namespace {

using namespace std::chrono_literals;
using domain::DatabaseTime;
using std::chrono::microseconds;

DatabaseTime at(std::chrono::milliseconds time) { return DatabaseTime(1'000'000s + time); }
Span arrived(std::chrono::milliseconds time) { return {at(time), at(time)}; }
// By a clock that is so far ahead.
WitnessTime by(std::chrono::milliseconds ahead, std::chrono::milliseconds time) {
  return WitnessTime((at(time) + ahead).time_since_epoch());
}
Skew known(std::chrono::milliseconds ahead) {
  return {.ahead = ahead, .uncertainty = WitnessClocks::kUncertainty};
}

// Versions 1, 2... with so many on hand, each committed at an instant and seen 100 ms later.
KeyHistory ledger(const std::vector<std::pair<std::chrono::milliseconds, std::int64_t>>& versions) {
  KeyHistory history;
  for (const auto& [time, on_hand] : versions) {
    history.current = {.exists = true,
                       .counts = {.on_hand = on_hand},
                       .committed_at = at(time),
                       .seen_by = at(time + 100ms)};
    history.versions[++history.newest] = history.current;
  }
  return history;
}

Testimony available(std::int64_t units) {
  Testimony said{.witness = "storefront", .extent = Extent::kAvailable, .version = 0};
  said.counts.on_hand = units;
  return said;
}

// ---- Dates

TEST(Testimony, an_age_needs_no_clock) {
  Testimony said = available(1);
  said.age = 3s;
  const Dates dates = date(said, arrived(60s), std::nullopt);
  EXPECT_EQ(dates.sent.latest, at(60s));
  EXPECT_EQ(dates.through_latest, at(57s));
  EXPECT_EQ(dates.through_earliest, at(57s) - kTransit);
  EXPECT_FALSE(dates.late());
}

TEST(Testimony, a_clock_that_is_wrong_by_a_known_time_is_no_hindrance) {
  for (const auto ahead : {-3600s, 0s, 3600s}) {
    Testimony said = available(1);
    said.sent_at = by(ahead, 60s);
    said.true_through = by(ahead, 50s);
    const Dates dates = date(said, arrived(60s), known(ahead));
    EXPECT_EQ(dates.sent.latest, at(60s)) << ahead.count();
    EXPECT_EQ(dates.through_latest, at(50s)) << ahead.count();
    EXPECT_EQ(dates.through_earliest, at(50s) - WitnessClocks::kUncertainty) << ahead.count();
    EXPECT_FALSE(dates.late()) << ahead.count();
  }
}

TEST(Testimony, what_was_held_up_is_dated_by_when_it_was_sent) {
  Testimony said = available(1);
  said.sent_at = by(3600s, 60s);
  const Dates dates = date(said, arrived(7260s), known(3600s));
  EXPECT_EQ(dates.sent.latest, at(60s));
  EXPECT_EQ(dates.sent.earliest, at(60s));
  EXPECT_TRUE(dates.late());
}

TEST(Testimony, of_an_unknown_clock_nobody_says_when_it_held) {
  Testimony said = available(1);
  said.sent_at = by(-3600s, 7200s);
  const Dates dates = date(said, arrived(7200s), std::nullopt);
  EXPECT_EQ(dates.sent.earliest, at(3600s));
  EXPECT_EQ(dates.sent.latest, at(7200s));
  EXPECT_FALSE(dates.through_earliest);
}

TEST(Testimony, a_date_in_the_future_claims_no_more_than_the_present) {
  Testimony said = available(1);
  said.sent_at = by(0s, 60s);
  said.true_through = by(0s, 7200s);
  EXPECT_EQ(said.claimed_age(), 0s);
  EXPECT_EQ(date(said, arrived(60s), known(0s)).through_latest, at(60s));
  said.true_through.reset();
  said.sent_at = by(0s, 7200s);  // a sending that has not come yet
  EXPECT_EQ(date(said, arrived(60s), known(0s)).through_latest, at(60s));
}

// ---- Verdicts

TEST(Testimony, what_is_so_is_current_of_whatever_it_knows) {
  const KeyHistory history = ledger({{0s, 40}, {10s, 120}});
  Testimony said = available(120);
  const Dates dates = date(said, arrived(60s), std::nullopt);
  EXPECT_EQ(judge(said, dates, history).verdict, Verdict::kCurrent);
  said.extent = Extent::kInStock;
  said.counts.on_hand = 1;
  EXPECT_EQ(judge(said, dates, history).verdict, Verdict::kCurrent);
  said.extent = Extent::kCounts;
  said.counts.on_hand = 120;
  EXPECT_EQ(judge(said, dates, history).verdict, Verdict::kCurrent);
  said.version = 2;
  EXPECT_EQ(judge(said, dates, history).verdict, Verdict::kCurrent);
  said.version = 1;
  EXPECT_EQ(judge(said, dates, history).verdict, Verdict::kWrongCount);
  said.version = 3;
  EXPECT_EQ(judge(said, dates, history).verdict, Verdict::kAhead);
}

TEST(Testimony, what_was_so_is_stale_with_an_honest_date_and_else_misdated) {
  const KeyHistory history = ledger({{0s, 42}, {30s, 120}});
  Testimony said = available(42);
  said.age = 35s;  // as of 25 s
  const Judgement honest = judge(said, date(said, arrived(60s), std::nullopt), history);
  EXPECT_EQ(honest.verdict, Verdict::kStale);
  EXPECT_EQ(honest.units, -78);
  EXPECT_EQ(honest.versions, 1);
  EXPECT_EQ(honest.age, 29'900ms);
  said.age = 1s;
  EXPECT_EQ(judge(said, date(said, arrived(60s), std::nullopt), history).verdict,
            Verdict::kMisdated);
  said.counts.on_hand = 41;
  EXPECT_EQ(judge(said, date(said, arrived(60s), std::nullopt), history).verdict,
            Verdict::kNeverTrue);
}

TEST(Testimony, an_old_report_is_judged_by_its_own_date) {
  const KeyHistory history = ledger({{0s, 42}, {3000s, 120}});
  Testimony said = available(42);
  said.sent_at = by(0s, 60s);
  const Dates dates = date(said, arrived(7200s), known(0s));
  EXPECT_EQ(judge(said, dates, history).verdict, Verdict::kCurrent);
  // As its last word it is behind now.
  EXPECT_EQ(judge_now(said, dates, arrived(7200s), history).verdict, Verdict::kStale);
  // What became so only later excuses nothing, and accuses nobody whose clock may be wrong.
  said.counts.on_hand = 120;
  EXPECT_EQ(judge(said, dates, history).verdict, Verdict::kInconclusive);
}

// Committed at 50 s by its own stamp, and visible only now: at 60 s its witness was right.
TEST(Testimony, nobody_is_behind_what_became_visible_just_now) {
  KeyHistory history = ledger({{0s, 42}, {50s, 120}});
  history.current.seen_by.reset();
  history.current.is_new = true;
  history.versions[2] = history.current;
  const Testimony said = available(42);
  const Dates dates = date(said, arrived(60s), std::nullopt);
  EXPECT_EQ(judge(said, dates, history).verdict, Verdict::kInconclusive);
  EXPECT_EQ(judge_now(said, dates, arrived(70s), history).verdict, Verdict::kInconclusive);
  // Of what is never recorded its commit is all that is known.
  history.current.is_new = history.versions[2].is_new = false;
  EXPECT_EQ(judge(said, dates, history).verdict, Verdict::kStale);
}

TEST(Testimony, nothing_available_is_true_of_what_never_was) {
  const KeyHistory history = ledger({{10s, 5}});
  Testimony said = available(0);
  said.age = 55s;
  const Judgement judgement = judge(said, date(said, arrived(60s), std::nullopt), history);
  EXPECT_EQ(judgement.verdict, Verdict::kStale);
  EXPECT_EQ(judge(said, date(said, arrived(60s), std::nullopt), KeyHistory()).verdict,
            Verdict::kCurrent);
}

TEST(Testimony, sold_units_are_between_what_all_had_seen_and_what_is) {
  const Sold sold{.at_least = 10, .at_most = 12};
  EXPECT_EQ(judge_sold(10, sold).verdict, Verdict::kCurrent);
  EXPECT_EQ(judge_sold(12, sold).verdict, Verdict::kCurrent);
  EXPECT_EQ(judge_sold(13, sold).verdict, Verdict::kOvercounted);
  EXPECT_EQ(judge_sold(13, sold).units, 1);
  EXPECT_EQ(judge_sold(8, sold).verdict, Verdict::kUndercounted);
  EXPECT_EQ(judge_sold(8, sold).units, -2);
}

TEST(Testimony, only_a_lie_or_a_stale_claim_of_the_present_is_an_incident) {
  Testimony said = available(42);
  const Dates dates = date(said, arrived(60s), std::nullopt);
  EXPECT_TRUE(opens_incident(said, dates, {.verdict = Verdict::kNeverTrue}, 5s));
  EXPECT_TRUE(opens_incident(said, dates, {.verdict = Verdict::kOvercounted}, 5s));
  EXPECT_TRUE(opens_incident(said, dates, {.verdict = Verdict::kStale, .age = 11s}, 5s));
  EXPECT_FALSE(opens_incident(said, dates, {.verdict = Verdict::kStale, .age = 9s}, 5s));
  said.age = 20s;
  EXPECT_FALSE(opens_incident(said, dates, {.verdict = Verdict::kStale, .age = 1h}, 5s));
  said.age.reset();
  said.sent_at = by(3600s, 60s);  // of a clock that is not known
  EXPECT_FALSE(opens_incident(said, date(said, arrived(60s), std::nullopt),
                              {.verdict = Verdict::kStale, .age = 1h}, 5s));
}

// ---- Clocks

TEST(WitnessClocks, a_single_report_proves_nothing) {
  WitnessClocks clocks(10);
  EXPECT_FALSE(clocks.heard("offline", "a", by(-3600s, 0s), arrived(0s)));
  // Nor do old ones that are sent again together.
  for (int i = 0; i < 20; ++i) {
    EXPECT_FALSE(clocks.heard("offline", "a", by(-3600s, i * 10s), arrived(1s)));
  }
}

TEST(WitnessClocks, a_backlog_is_no_clock_however_close_together_its_reports_were) {
  WitnessClocks clocks(10);
  for (std::chrono::milliseconds sent = 0s; sent < 60s; sent += 100ms) {
    EXPECT_FALSE(clocks.heard("offline", "a", by(0s, sent), arrived(60s))) << sent.count();
  }
  // Who goes on is known soon.
  for (auto sent = 60s; sent < 65s; sent += 1s) {
    clocks.heard("offline", "a", by(0s, sent), arrived(sent));
  }
  EXPECT_EQ(clocks.heard("offline", "a", by(0s, 65s), arrived(65s))->ahead, 0s);
}

TEST(WitnessClocks, reports_that_keep_pace_come_from_a_clock) {
  WitnessClocks clocks(10);
  for (int i = 0; i < 5; ++i) {
    EXPECT_FALSE(clocks.heard("offline", "a", by(3600s, i * 1s), arrived(i * 1s + 20ms)));
  }
  const auto skew = clocks.heard("offline", "a", by(3600s, 5s), arrived(5s + 50ms));
  ASSERT_TRUE(skew);
  EXPECT_EQ(skew->ahead, 3600s - 20ms);
  EXPECT_EQ(clocks.largest("offline"), 3600s - 20ms);
  EXPECT_EQ(clocks.largest("storefront"), 0s);
}

TEST(WitnessClocks, a_clock_that_is_set_forward_is_learnt_anew) {
  WitnessClocks clocks(10);
  for (int i = 0; i < 7; ++i) clocks.heard("offline", "a", by(0s, i * 1s), arrived(i * 1s));
  EXPECT_FALSE(clocks.heard("offline", "a", by(600s, 8s), arrived(8s)));
  EXPECT_FALSE(clocks.heard("offline", "a", by(600s, 10s), arrived(10s)));
  EXPECT_EQ(clocks.heard("offline", "a", by(600s, 13s), arrived(13s))->ahead, 600s);
}

TEST(WitnessClocks, a_clock_that_is_set_back_looks_late_until_the_window_has_passed) {
  WitnessClocks clocks(10);
  for (int i = 0; i < 7; ++i) clocks.heard("offline", "a", by(0s, i * 1s), arrived(i * 1s));
  EXPECT_EQ(clocks.heard("offline", "a", by(-600s, 8s), arrived(8s))->ahead, 0s);
  for (auto time = 60s; time < 3 * WitnessClocks::kWindow; time += 10s) {
    clocks.heard("offline", "a", by(-600s, time), arrived(time));
  }
  EXPECT_EQ(clocks.heard("offline", "a", by(-600s, 3600s), arrived(3600s))->ahead, -600s);
}

TEST(WitnessClocks, who_was_not_heard_of_for_longest_is_forgotten) {
  WitnessClocks clocks(2);
  for (int i = 0; i < 7; ++i) clocks.heard("offline", "a", by(5s, i * 1s), arrived(i * 1s));
  clocks.heard("offline", "b", by(0s, 8s), arrived(8s));
  EXPECT_TRUE(clocks.heard("offline", "a", by(5s, 9s), arrived(9s)));
  clocks.heard("offline", "c", by(0s, 10s), arrived(10s));
  EXPECT_EQ(clocks.size(), 2);
  EXPECT_TRUE(clocks.heard("offline", "a", by(5s, 11s), arrived(11s)));
}

// ---- Against a naive model: a witness that tells what was true at a true instant is never
// accused, whatever its clock and the network do; and what nobody ever had is never found honest.

TEST(TestimonyProperty, an_honest_witness_is_never_accused_and_a_lie_is_never_honest) {
  for (unsigned seed = 0; seed < 350; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](int n) { return std::uniform_int_distribution<int>(0, n - 1)(random); };
    std::vector<std::pair<std::chrono::milliseconds, std::int64_t>> versions;
    std::chrono::milliseconds time = 0s;
    for (int i = 0; i < 12; ++i) {
      versions.emplace_back(time, 10 + below(4));
      time += std::chrono::milliseconds(200 + below(20'000));
    }
    std::chrono::milliseconds ahead = std::chrono::seconds(below(7200) - 3600);
    WitnessClocks clocks(4);
    std::chrono::milliseconds now = 0s;
    std::chrono::milliseconds connected = 0s;  // from then on; until then reports are kept
    const bool is_set = seed % 2 == 0;         // or it loses its connection now and then
    const int pause = is_set ? 3000 : 400;
    while (now < time) {
      now += std::chrono::milliseconds(500 + below(pause));
      if (is_set && below(40) == 0) ahead += std::chrono::seconds(below(2000) - 1000);
      if (!is_set && now > connected && below(20) == 0) {
        connected = now + std::chrono::seconds(below(60));
      }
      const auto held_up = std::chrono::milliseconds(below(20) == 0 ? below(60'000) : below(900));
      // What was true when it looked, which it says by its clock or as an age.
      const auto looked = std::max(now - std::chrono::milliseconds(below(10'000)), 0ms);
      domain::Version version = 0;
      KeyHistory history = ledger(versions);
      for (const auto& [number, fact] : history.versions) {
        if (fact.committed_at <= at(looked)) version = number;
      }
      Testimony said = available(history.versions[version].counts.on_hand);
      if (below(2) == 0) said.version = version;
      said.sent_at = by(ahead, now);
      if (below(2) == 0) {
        said.age = now - looked;
      } else {
        said.true_through = by(ahead, looked);
      }
      const Span arrives = arrived(std::max(now, connected) + held_up);
      const auto skew = clocks.heard("offline", "a", *said.sent_at, arrives);
      const Dates dates = date(said, arrives, skew);
      const Judgement judgement = judge(said, dates, history);
      ASSERT_FALSE(is_lie(judgement.verdict))
          << "seed " << seed << " at " << now.count() << ": " << verdict_name(judgement.verdict);
      said.counts.on_hand = 99;
      const Verdict lie = judge(said, dates, history).verdict;
      ASSERT_TRUE(lie == Verdict::kNeverTrue || lie == Verdict::kWrongCount)
          << "seed " << seed << ": " << verdict_name(lie);
    }
  }
}

}  // namespace
}  // namespace stock::drift
