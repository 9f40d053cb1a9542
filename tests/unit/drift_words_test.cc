#include <gtest/gtest.h>

#include <limits>

#include "stock/drift/words.h"

namespace stock::drift {
namespace {

using namespace std::chrono_literals;
using domain::DatabaseTime;

// 02:07:09.480 UTC.
constexpr DatabaseTime kAsked{1'795'486'029'480'000us};
constexpr DatabaseTime kFrom = kAsked - 238'480ms;   // 02:03:11.000
constexpr DatabaseTime kUntil = kAsked - 234'480ms;  // 02:03:15.000

Finding finding(Verdict verdict, domain::Version version, std::int64_t on_hand) {
  Finding finding;
  finding.claim.answer.outcome = domain::Outcome::kHit;
  finding.claim.answer.reading = {.exists = true,
                                  .version = version,
                                  .counts = {.on_hand = on_hand},
                                  .true_through = kAsked - 1s};
  finding.claim.asked_earliest = kAsked - 1ms;
  finding.claim.asked_latest = kAsked;
  finding.judgement.verdict = verdict;
  finding.newest = 18;
  finding.truth = {.exists = true, .counts = {.on_hand = 120}, .committed_at = kUntil};
  return finding;
}

Finding stale() {
  Finding stale = finding(Verdict::kStale, 15, 42);
  stale.judgement.versions = 3;
  stale.judgement.true_from = kFrom;
  stale.judgement.true_until = kUntil;
  stale.judgement.superseded_by = 16;
  return stale;
}

domain::Movement successor() {
  domain::Movement movement;
  movement.version = 16;
  movement.kind = domain::MovementKind::kAdjust;
  movement.reason = "delivery";
  movement.reference = "order/536365";
  movement.actor = "shop@web-1";
  return movement;
}

TEST(Words, of_a_stale_copy_when_it_was_true_how_far_behind_and_what_replaced_it) {
  const domain::Movement movement = successor();
  EXPECT_EQ(words(stale(), &movement),
            "42 was true from 02:03:11.000 to 02:03:15.000, 3 versions ago; superseded by version "
            "16: adjust, delivery, order/536365, by shop@web-1");
  EXPECT_EQ(words(stale(), nullptr),
            "42 was true from 02:03:11.000 to 02:03:15.000, 3 versions ago; superseded by version "
            "16");
  Finding one = stale();
  one.judgement.versions = 1;
  one.judgement.true_from = kFrom - 24h;
  EXPECT_EQ(words(one, nullptr),
            "42 was true from 2026-11-23 02:03:11.000 to 02:03:15.000, 1 version ago; superseded "
            "by version 16");
  Finding pruned = stale();
  pruned.judgement.true_until.reset();
  pruned.judgement.superseded_by = 0;
  EXPECT_EQ(words(pruned, nullptr), "42 was true from 02:03:11.000, 3 versions ago");
}

TEST(Words, a_change_around_the_service_is_named_as_such) {
  domain::Movement movement = successor();
  movement.kind = domain::MovementKind::kDirect;
  movement.reason = movement.reference = "";
  movement.actor = "postgres psql";
  movement.deleted = true;
  EXPECT_EQ(words(stale(), &movement),
            "42 was true from 02:03:11.000 to 02:03:15.000, 3 versions ago; superseded by version "
            "16: changed by SQL, removed, by postgres psql");
}

TEST(Words, of_a_misdated_copy_which_date_is_false) {
  const auto misdated = [](Finding finding, FalseDate date) {
    finding.judgement.verdict = Verdict::kMisdated;
    finding.judgement.false_date = date;
    return finding;
  };
  Finding old = misdated(stale(), FalseDate::kTrueThrough);
  EXPECT_EQ(words(old, nullptr),
            "42 was true from 02:03:11.000 to 02:03:15.000, 3 versions ago, but it claims to have "
            "held at 02:07:08.480; superseded by version 16");
  Finding future = misdated(finding(Verdict::kMisdated, 18, 120), FalseDate::kTrueThrough);
  future.claim.answer.reading.true_through = kAsked + 1h;
  EXPECT_EQ(words(future, nullptr), "120 is true, but its date, 03:07:09.480, has not come yet");
  Finding heartbeat = misdated(finding(Verdict::kMisdated, 18, 120), FalseDate::kUnknownHeartbeat);
  heartbeat.claim.answer.reading.heartbeat = 99'999;
  EXPECT_EQ(words(heartbeat, nullptr),
            "120 is true, but its heartbeat, 99,999, is none that there was");
  // Its other date is honest.
  Finding seen = misdated(stale(), FalseDate::kHeartbeat);
  seen.claim.answer.reading.true_through = kFrom + 1s;
  seen.claim.answer.reading.heartbeat = 1234;
  EXPECT_EQ(words(seen, nullptr),
            "42 was true from 02:03:11.000 to 02:03:15.000, 3 versions ago, but it claims to have "
            "seen heartbeat 1,234, which shows its successor; superseded by version 16");
  Finding commit = misdated(finding(Verdict::kMisdated, 18, 120), FalseDate::kAsOf);
  commit.claim.answer.reading.as_of = kFrom;
  EXPECT_EQ(words(commit, nullptr), "120 is true, but it was not committed at 02:03:11.000");
  Finding expiry = misdated(finding(Verdict::kMisdated, 18, 120), FalseDate::kExpiry);
  EXPECT_EQ(words(expiry, nullptr),
            "120 is true, but it does not say when the first of its holds ends");
  expiry.claim.answer.reading.earliest_expiry = kAsked + 15min;
  EXPECT_EQ(words(expiry, nullptr),
            "120 is true, but the first of its holds does not end at 02:22:09.480");
  old.judgement.false_date.reset();
  EXPECT_EQ(words(old, nullptr),
            "42 was true from 02:03:11.000 to 02:03:15.000, 3 versions ago, but its dates are "
            "false; superseded by version 16")
      << "as it was written down before it was recorded which";
}

TEST(Words, of_wrong_counts_what_is_true_instead) {
  EXPECT_EQ(words(finding(Verdict::kWrongCount, 18, 42), nullptr), "version 18 has 120, not 42");
  Finding old = finding(Verdict::kWrongCount, 16, 42);
  old.judgement.versions = 2;
  EXPECT_EQ(words(old, nullptr), "version 16 never had 42; true is 120, 2 versions later");
  // Where as much is available, by the count that differs.
  Finding hidden = finding(Verdict::kWrongCount, 18, 125);
  hidden.claim.answer.reading.counts.committed = 5;
  EXPECT_EQ(words(hidden, nullptr), "version 18 has on hand 120, not on hand 125");
  EXPECT_EQ(words(finding(Verdict::kNeverTrue, 0, 42), nullptr),
            "no version ever had 42; true is 120");
  EXPECT_EQ(words(finding(Verdict::kNeverTrue, 17, 42), nullptr),
            "version 17 was replaced by the transaction that made it: nobody saw 42");
}

TEST(Words, of_a_version_that_there_is_not) {
  EXPECT_EQ(words(finding(Verdict::kAhead, 21, 42), nullptr),
            "there is no version 21: the newest is 18, with 120. A write that was lost or rolled "
            "back, or another ledger's");
}

TEST(Words, of_what_is_true_since_when) {
  Finding current = finding(Verdict::kCurrent, 18, 120);
  current.judgement.true_from = kUntil;
  EXPECT_EQ(words(current, nullptr), "120 is true, since 02:03:15.000");
  current.judgement.true_until = kAsked;
  EXPECT_EQ(words(current, nullptr),
            "120 was true when it was asked, and was replaced at 02:07:09.480");
  Finding never = finding(Verdict::kCurrent, 0, 0);
  never.claim.answer.reading.exists = false;
  EXPECT_EQ(words(never, nullptr), "no level, and so it always was");
}

TEST(Words, of_those_who_said_nothing_why) {
  Finding none = finding(Verdict::kAbsent, 0, 0);
  none.claim.answer.outcome = domain::Outcome::kMiss;
  EXPECT_EQ(words(none, nullptr), "it has no copy");
  none.claim.answer.outcome = domain::Outcome::kCorrupt;
  none.claim.detail = "redis: 1 value malformed: too short";
  EXPECT_EQ(words(none, nullptr),
            "what it holds cannot be read: redis: 1 value malformed: too short");
  Finding down = finding(Verdict::kUnreachable, 0, 0);
  EXPECT_EQ(words(down, nullptr), "it could not be asked");
  down.claim.detail = "redis: no connection";
  EXPECT_EQ(words(down, nullptr), "it could not be asked: redis: no connection");
  EXPECT_EQ(words(finding(Verdict::kInconclusive, 18, 1), nullptr),
            "it moved while it was asked, or is of another history of the ledger");
  EXPECT_EQ(words(finding(Verdict::kUnverifiable, 1, 1), nullptr),
            "what it says is of history that was pruned: nobody can say");
}

TEST(Words, counts_may_be_anything) {
  constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
  EXPECT_EQ(words(finding(Verdict::kWrongCount, 18, -1'234'567), nullptr),
            "version 18 has 120, not -1,234,567");
  EXPECT_EQ(words(finding(Verdict::kWrongCount, 18, -123), nullptr),
            "version 18 has 120, not -123");
  Finding overflow = finding(Verdict::kWrongCount, 18, kLeast);
  overflow.claim.answer.reading.counts.reserved = 1;
  EXPECT_EQ(words(overflow, nullptr), "version 18 has 120, not -9,223,372,036,854,775,808 on hand");
}

TEST(Words, whether_it_was_true_at_an_instant) {
  EXPECT_EQ(words_at(stale(), kFrom - 1us), "it became true only at 02:03:11.000");
  EXPECT_EQ(words_at(stale(), kFrom), "it was true then");
  EXPECT_EQ(words_at(stale(), kUntil - 1us), "it was true then");
  EXPECT_EQ(words_at(stale(), kUntil), "by then it had been replaced, at 02:03:15.000");
  EXPECT_EQ(words_at(finding(Verdict::kAhead, 21, 42), kFrom), "");
  Finding current = finding(Verdict::kCurrent, 18, 120);
  current.judgement.true_from = kUntil;
  EXPECT_EQ(words_at(current, kAsked), "it was true then");
  // Its successor is known, but not when that came.
  Finding pruned = stale();
  pruned.judgement.true_until.reset();
  EXPECT_EQ(words_at(pruned, kAsked), "");
}

}  // namespace
}  // namespace stock::drift
