#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "stock/drift/verdict.h"
#include "support/fake_history.h"

namespace stock::drift {
namespace {

using domain::Counts;
using domain::DatabaseTime;
using domain::Key;
using domain::Outcome;
using std::chrono::microseconds;

const Key kTea{"TEA", "berlin"};

DatabaseTime at(std::int64_t us) { return DatabaseTime(microseconds(us)); }

// The ledger: 10 at 100, 8 at 200, deleted at 300, 5 at 400. Asked between 1000 and 1010.
class Compare : public ::testing::Test {
 protected:
  Compare() {
    commit(10, 100);
    commit(8, 200);
    ledger.commit(kTea, {.exists = false, .counts = {}, .committed_at = at(300)});
    commit(5, 400);
  }

  void commit(std::int64_t on_hand, std::int64_t us) {
    ledger.commit(kTea, {.exists = true,
                         .counts = {.on_hand = on_hand, .safety_stock = 1},
                         .committed_at = at(us)});
  }

  Judgement judge(const domain::Reading& reading) {
    claim.answer = {Outcome::kHit, reading};
    constexpr auto kLast = std::numeric_limits<domain::Version>::max();
    std::vector<domain::Version> asked;
    if (reading.version >= 0 && reading.version < kLast) asked.push_back(reading.version);
    return compare(claim, ledger.of(kTea, asked));
  }
  Judgement level(std::int64_t on_hand, domain::Version version) {
    domain::Reading reading;
    reading.exists = true;
    reading.version = version;
    reading.counts = {.on_hand = on_hand, .safety_stock = 1};
    return judge(reading);
  }
  Judgement no_level(domain::Version version) {
    domain::Reading reading;
    reading.version = version;
    return judge(reading);
  }

  support::FakeHistory ledger;
  Claim claim{.answer = {}, .asked_earliest = at(1000), .asked_latest = at(1010)};
};

TEST_F(Compare, the_newest_version_is_current) {
  const Judgement judgement = level(5, 4);
  EXPECT_EQ(judgement.verdict, Verdict::kCurrent);
  EXPECT_EQ(judgement.units, 0);
  EXPECT_EQ(judgement.versions, 0);
  EXPECT_EQ(judgement.age, microseconds(0));
}

// After a crash or a restore the same versions are others, and there may be fewer.
TEST_F(Compare, a_copy_of_another_incarnation_is_nothing_that_the_ledger_could_judge) {
  ledger.become(7);
  EXPECT_EQ(level(5, 4).verdict, Verdict::kInconclusive);
  EXPECT_EQ(level(6, 4).verdict, Verdict::kInconclusive);  // no wrong count
  EXPECT_EQ(level(5, 9).verdict, Verdict::kInconclusive);  // nor ahead
  EXPECT_EQ(level(10, 1).verdict, Verdict::kInconclusive);
  EXPECT_EQ(level(42, -1).verdict, Verdict::kInconclusive);
  claim.answer = {Outcome::kMiss, {}};
  EXPECT_EQ(compare(claim, ledger.of(kTea, {})).verdict, Verdict::kAbsent);
}

TEST_F(Compare, a_superseded_version_is_stale_by_units_versions_and_time) {
  const Judgement judgement = level(10, 1);
  EXPECT_EQ(judgement.verdict, Verdict::kStale);
  EXPECT_EQ(judgement.units, 5);
  EXPECT_EQ(judgement.versions, 3);
  EXPECT_EQ(judgement.age, microseconds(800));
}

TEST_F(Compare, the_date_of_the_successor_decides) {
  commit(4, 1000);
  EXPECT_EQ(level(5, 4).verdict, Verdict::kStale);
  EXPECT_EQ(level(5, 4).age, microseconds(0));
  claim.asked_earliest = at(999);
  EXPECT_EQ(level(5, 4).verdict, Verdict::kInconclusive);
  claim.asked_latest = at(1000);
  EXPECT_EQ(level(5, 4).verdict, Verdict::kInconclusive);
  claim.asked_latest = at(999);
  EXPECT_EQ(level(5, 4).verdict, Verdict::kCurrent);
  EXPECT_EQ(level(5, 4).units, 0);
}

TEST_F(Compare, a_deletion_supersedes) {
  EXPECT_EQ(level(8, 2).verdict, Verdict::kStale);
  EXPECT_EQ(level(8, 2).age, microseconds(700));
}

TEST_F(Compare, a_tombstone_is_a_version) {
  EXPECT_EQ(no_level(3).verdict, Verdict::kStale);
  EXPECT_EQ(no_level(3).units, -4);
  ledger.commit(kTea, {.exists = false, .counts = {}, .committed_at = at(500)});
  EXPECT_EQ(no_level(5).verdict, Verdict::kCurrent);
  EXPECT_EQ(level(0, 5).verdict, Verdict::kWrongCount);
  EXPECT_EQ(level(5, 4).units, 4);
}

TEST_F(Compare, there_is_no_level_until_the_first_version_is_committed) {
  const Judgement judgement = no_level(0);
  EXPECT_EQ(judgement.verdict, Verdict::kStale);
  EXPECT_EQ(judgement.versions, 4);
  EXPECT_EQ(judgement.age, microseconds(900));
  claim.asked_earliest = at(90);
  claim.asked_latest = at(99);
  EXPECT_EQ(no_level(0).verdict, Verdict::kCurrent);
  claim.asked_latest = at(100);
  EXPECT_EQ(no_level(0).verdict, Verdict::kInconclusive);
}

TEST_F(Compare, a_key_that_never_moved_has_no_level) {
  const KeyHistory empty;
  claim.answer.outcome = Outcome::kHit;
  EXPECT_EQ(compare(claim, empty).verdict, Verdict::kCurrent);
  claim.answer.reading.version = 1;
  EXPECT_EQ(compare(claim, empty).verdict, Verdict::kAhead);
}

TEST_F(Compare, a_version_has_one_set_of_counts) {
  const Judgement newest = level(6, 4);
  EXPECT_EQ(newest.verdict, Verdict::kWrongCount);
  EXPECT_EQ(newest.units, 1);
  EXPECT_EQ(newest.versions, 0);
  EXPECT_EQ(level(10, 2).verdict, Verdict::kWrongCount);
  EXPECT_EQ(level(10, 2).versions, 2);
  EXPECT_EQ(no_level(4).verdict, Verdict::kWrongCount);
  EXPECT_EQ(level(5, 3).verdict, Verdict::kWrongCount);
}

TEST_F(Compare, what_the_ledger_does_not_know_is_ahead) {
  const Judgement judgement = level(50, 6);
  EXPECT_EQ(judgement.verdict, Verdict::kAhead);
  EXPECT_EQ(judgement.units, 45);
  EXPECT_EQ(judgement.versions, -2);
  EXPECT_EQ(no_level(9).verdict, Verdict::kAhead);
}

TEST_F(Compare, without_a_version_the_counts_speak) {
  EXPECT_EQ(level(5, 0).verdict, Verdict::kCurrent);
  EXPECT_EQ(level(5, -7).verdict, Verdict::kCurrent);
  EXPECT_EQ(level(42, 0).verdict, Verdict::kNeverTrue);
  EXPECT_EQ(level(42, 0).units, 37);
  EXPECT_EQ(level(42, 0).versions, 0);
  const Judgement earlier = level(10, 0);  // asking for version 0 brings version 1
  EXPECT_EQ(earlier.verdict, Verdict::kStale);
  EXPECT_EQ(earlier.versions, 3);
}

TEST_F(Compare, wild_counts_do_not_overflow) {
  domain::Reading reading;
  reading.exists = true;
  reading.version = 4;
  constexpr auto kLeast = std::numeric_limits<std::int64_t>::min();
  reading.counts = {kLeast, kLeast, std::numeric_limits<std::int64_t>::max(), kLeast, kLeast};
  EXPECT_EQ(judge(reading).verdict, Verdict::kWrongCount);
  reading.version = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(judge(reading).verdict, Verdict::kAhead);
  reading.version = kLeast;
  EXPECT_EQ(judge(reading).verdict, Verdict::kNeverTrue);
}

TEST_F(Compare, what_is_not_kept_is_not_guessed_at) {
  ledger.prune(kTea, 3);
  EXPECT_EQ(level(10, 1).verdict, Verdict::kUnverifiable);
  EXPECT_EQ(level(8, 2).verdict, Verdict::kUnverifiable);
  EXPECT_EQ(level(999, 2).verdict, Verdict::kUnverifiable);
  EXPECT_EQ(level(5, -1).verdict, Verdict::kCurrent);
  EXPECT_EQ(level(999, -1).verdict, Verdict::kUnverifiable);  // one that was pruned may have had it
  EXPECT_EQ(level(999, 4).verdict, Verdict::kWrongCount);
  EXPECT_EQ(level(5, 9).verdict, Verdict::kAhead);
  EXPECT_EQ(no_level(3).verdict, Verdict::kStale);
}

// Whatever superseded it first, the newest version did so too.
TEST_F(Compare, absence_is_known_to_be_over_when_its_end_is_not_kept) {
  ledger.prune(kTea, 4);
  EXPECT_EQ(no_level(0).verdict, Verdict::kStale);
  EXPECT_EQ(no_level(0).age, microseconds(600));
  claim.asked_earliest = at(300);
  claim.asked_latest = at(310);
  EXPECT_EQ(no_level(0).verdict, Verdict::kInconclusive);
}

TEST_F(Compare, saying_nothing_is_no_lie) {
  const KeyHistory history = ledger.of(kTea, {});
  for (const Outcome outcome : {Outcome::kMiss, Outcome::kCorrupt}) {
    claim.answer.outcome = outcome;
    EXPECT_EQ(compare(claim, history).verdict, Verdict::kAbsent);
  }
  for (const Outcome outcome : {Outcome::kError, Outcome::kTimeout, Outcome::kBreakerOpen}) {
    claim.answer.outcome = outcome;
    EXPECT_EQ(compare(claim, history).verdict, Verdict::kUnreachable);
  }
}

// Of every version it is known by when everybody saw it, and which heartbeat showed it first:
// version 1 by 150 (heartbeat 1), 2 by 250 (2), 3 by 350 (3), 4 by 450 (4).
class CompareDates : public Compare {
 protected:
  CompareDates() {
    ledger.prune(kTea, std::numeric_limits<domain::Version>::max());
    const auto record = [this](domain::HeartbeatNumber n) { ledger.beat(n, at(50 + 100 * n)); };
    commit(10, 100);
    record(1);
    commit(8, 200);
    record(2);
    ledger.commit(kTea, {.exists = false, .counts = {}, .committed_at = at(300)});
    record(3);
    commit(5, 400);
    record(4);
  }

  Judgement copy(std::int64_t on_hand, domain::Version version, std::int64_t true_through,
                 domain::HeartbeatNumber heartbeat) {
    domain::Reading reading;
    reading.exists = true;
    reading.version = version;
    reading.counts = {.on_hand = on_hand, .safety_stock = 1};
    reading.true_through = at(true_through);
    reading.heartbeat = heartbeat;
    return judge(reading);
  }
};

TEST_F(CompareDates, an_honest_date_makes_it_stale_since_everybody_saw_the_successor) {
  const Judgement judgement = copy(10, 1, 249, 1);
  EXPECT_EQ(judgement.verdict, Verdict::kStale);
  EXPECT_EQ(judgement.units, 5);
  EXPECT_EQ(judgement.versions, 3);
  EXPECT_EQ(judgement.age, microseconds(750));
  EXPECT_EQ(judgement.true_from, at(100));
  EXPECT_EQ(judgement.true_until, at(200));
  EXPECT_EQ(judgement.superseded_by, 2);
}

TEST_F(CompareDates, who_claims_to_hold_when_the_successor_was_seen_is_misdated) {
  const Judgement judgement = copy(10, 1, 250, 1);
  EXPECT_EQ(judgement.verdict, Verdict::kMisdated);
  EXPECT_EQ(judgement.units, 5);
  EXPECT_EQ(judgement.versions, 3);
  EXPECT_EQ(judgement.age, microseconds(750));
  EXPECT_EQ(judgement.true_from, at(100));
  EXPECT_EQ(judgement.true_until, at(200));
  EXPECT_EQ(judgement.superseded_by, 2);
  EXPECT_EQ(copy(8, 2, 349, 2).verdict, Verdict::kStale);
  EXPECT_EQ(copy(8, 2, 350, 2).verdict, Verdict::kMisdated) << "a deletion is a successor";
}

TEST_F(CompareDates, who_claims_to_have_seen_the_heartbeat_that_shows_the_successor_is_misdated) {
  EXPECT_EQ(copy(10, 1, 200, 1).verdict, Verdict::kStale);
  EXPECT_EQ(copy(10, 1, 200, 2).verdict, Verdict::kMisdated);
  EXPECT_EQ(copy(10, 1, 200, 4).verdict, Verdict::kMisdated);
  EXPECT_EQ(copy(5, 4, 900, 4).verdict, Verdict::kCurrent);
}

TEST_F(CompareDates, between_commit_and_sight_nobody_is_accused) {
  commit(4, 1000);
  ledger.beat(5, at(1005));
  EXPECT_EQ(copy(5, 4, 1004, 4).verdict, Verdict::kInconclusive) << "asked at 1000 at the earliest";
  EXPECT_EQ(copy(5, 4, 1005, 4).verdict, Verdict::kMisdated);
  EXPECT_EQ(copy(5, 4, 1005, 4).age, microseconds(0));
  claim.asked_earliest = at(1005);
  EXPECT_EQ(copy(5, 4, 1004, 4).verdict, Verdict::kStale);
  EXPECT_EQ(copy(5, 4, 1004, 4).age, microseconds(0));
}

TEST_F(CompareDates, what_was_not_recorded_is_not_held_against_a_date) {
  commit(4, 600);
  EXPECT_EQ(copy(5, 4, 999, 4).verdict, Verdict::kStale);
}

TEST_F(CompareDates, a_date_that_has_not_come_is_false_whatever_the_version) {
  EXPECT_EQ(copy(5, 4, 1010, 4).verdict, Verdict::kCurrent);
  const Judgement judgement = copy(5, 4, 1011, 4);
  EXPECT_EQ(judgement.verdict, Verdict::kMisdated);
  EXPECT_EQ(judgement.units, 0);
  EXPECT_EQ(judgement.versions, 0);
  EXPECT_EQ(judgement.true_from, at(400));
  EXPECT_EQ(judgement.true_until, std::nullopt);
  EXPECT_EQ(judgement.superseded_by, 0);
  EXPECT_EQ(copy(5, 4, 900, 5).verdict, Verdict::kMisdated) << "a heartbeat that there is not";
  EXPECT_EQ(copy(6, 4, 1011, 4).verdict, Verdict::kWrongCount) << "the graver lie";
}

// The ledger of the hour: version 5 was written at 1 h, committed 3 s later and seen by all another
// 4 s later; its first hold ends at 2 h.
TEST_F(CompareDates, the_dates_of_a_version_itself_are_told_to_readers_too) {
  using namespace std::chrono_literals;
  ledger.commit(kTea, {.exists = true,
                       .counts = {.on_hand = 9, .reserved = 2},
                       .committed_at = DatabaseTime(1h + 3s),
                       .written_at = DatabaseTime(1h),
                       .earliest_expiry = DatabaseTime(2h)});
  ledger.beat(5, DatabaseTime(1h + 7s));
  claim.asked_earliest = claim.asked_latest = DatabaseTime(90min);
  domain::Reading said{.exists = true,
                       .version = 5,
                       .counts = {.on_hand = 9, .reserved = 2},
                       .earliest_expiry = DatabaseTime(2h),
                       .as_of = DatabaseTime(1h + 3s),
                       .true_through = DatabaseTime(89min),
                       .heartbeat = 5};
  const auto as_of = [&](microseconds us) {
    domain::Reading dated = said;
    dated.as_of = DatabaseTime(us);
    return judge(dated);
  };
  EXPECT_EQ(judge(said).verdict, Verdict::kCurrent);
  EXPECT_EQ(as_of(1h).verdict, Verdict::kCurrent) << "who does not know when it was committed";
  EXPECT_EQ(as_of(1h + 7s).verdict, Verdict::kCurrent);
  EXPECT_EQ(as_of(1h - 2s).verdict, Verdict::kMisdated);
  EXPECT_EQ(as_of(1h - 2s).false_date, FalseDate::kAsOf);
  EXPECT_EQ(as_of(1h + 9s).false_date, FalseDate::kAsOf);
  EXPECT_EQ(as_of(0s).false_date, FalseDate::kAsOf);
  EXPECT_EQ(as_of(0s).units, 0);

  said.earliest_expiry = DatabaseTime(3h);
  EXPECT_EQ(judge(said).verdict, Verdict::kMisdated);
  EXPECT_EQ(judge(said).false_date, FalseDate::kExpiry);
  said.earliest_expiry = {};
  EXPECT_EQ(judge(said).false_date, FalseDate::kExpiry);
  claim.tells_dates = false;
  said.as_of = {};
  EXPECT_EQ(judge(said).verdict, Verdict::kCurrent) << "a witness that knows of no such dates";
  claim.tells_dates = true;

  // Superseded, and honest but for that.
  said.as_of = DatabaseTime(1h + 3s);
  said.earliest_expiry = DatabaseTime(3h);
  said.true_through = DatabaseTime(61min);
  ledger.commit(kTea, {.exists = true,
                       .counts = {.on_hand = 9},
                       .committed_at = DatabaseTime(70min),
                       .written_at = DatabaseTime(70min)});
  ledger.beat(6, DatabaseTime(70min + 1s));
  EXPECT_EQ(judge(said).false_date, FalseDate::kExpiry);
  said.earliest_expiry = DatabaseTime(2h);
  EXPECT_EQ(judge(said).verdict, Verdict::kStale);
  // What the ledger does not know is held against nobody, nor what readers are not told.
  ledger.commit(kTea, {.exists = true,
                       .counts = {.on_hand = 9, .reserved = 1},
                       .committed_at = DatabaseTime(80min)});
  said = {.exists = true,
          .version = 7,
          .counts = {.on_hand = 9, .reserved = 1},
          .earliest_expiry = DatabaseTime(2h),
          .as_of = DatabaseTime(80min)};
  EXPECT_EQ(judge(said).verdict, Verdict::kCurrent);
  said.version = 6;
  said.counts.reserved = 0;
  said.as_of = DatabaseTime(70min);
  EXPECT_EQ(judge(said).verdict, Verdict::kStale);
}

TEST_F(CompareDates, a_version_that_its_own_transaction_replaced_was_never_true) {
  const auto commit_in = [&](domain::Xid xid, std::int64_t on_hand) {
    ledger.commit(kTea, {.exists = true,
                         .counts = {.on_hand = on_hand, .safety_stock = 1},
                         .committed_at = at(500),
                         .xid = xid});
  };
  commit_in(77, 7);
  commit_in(77, 6);
  ledger.beat(5, at(550));
  const Judgement judgement = copy(7, 5, 500, 4);
  EXPECT_EQ(judgement.verdict, Verdict::kNeverTrue);
  EXPECT_EQ(judgement.units, 1);
  EXPECT_EQ(judgement.versions, 1);
  EXPECT_EQ(judgement.true_from, std::nullopt);
  EXPECT_EQ(copy(6, 6, 900, 5).verdict, Verdict::kCurrent);
  commit_in(78, 3);
  EXPECT_EQ(copy(6, 6, 500, 4).verdict, Verdict::kStale) << "the next transaction's";
}

// Consistency in nines: was the version true at some instant of the last w?
TEST_F(CompareDates, windows_reach_back_from_when_it_was_asked) {
  const Judgement stale = copy(10, 1, 100, 1);  // over since 250; asked at 1000
  EXPECT_FALSE(within(stale, microseconds(0)));
  EXPECT_FALSE(within(stale, microseconds(749)));
  EXPECT_TRUE(within(stale, microseconds(750)));
  EXPECT_TRUE(within(copy(10, 1, 900, 1), microseconds(750))) << "misdated, but once true";
  EXPECT_TRUE(within(copy(5, 4, 900, 4), microseconds(0)));
  EXPECT_TRUE(within(copy(5, 4, 2000, 4), microseconds(0))) << "misdated, but true";
  EXPECT_FALSE(within(copy(6, 4, 900, 4), std::chrono::minutes(5)));
  EXPECT_FALSE(within(copy(5, 9, 900, 4), std::chrono::minutes(5)));
}

// A model that keeps no intervals but lists, microsecond by microsecond, what each reader of the
// primary could have been told: every honest copy is one of those, dated as it was.
TEST(CompareProperty, honest_copies_are_never_accused_and_dishonest_ones_are_when_it_is_certain) {
  std::mt19937_64 random(7);
  const auto upto = [&](std::int64_t most) {
    return std::uniform_int_distribution<std::int64_t>(0, most)(random);
  };
  std::map<Verdict, int> verdicts;
  for (int round = 0; round < 2000; ++round) {
    support::FakeHistory ledger;
    struct Told {
      domain::Reading reading;
      std::int64_t when = 0;
    };
    std::vector<Told> told;  // every microsecond: what a reader saw then
    domain::Reading visible;
    domain::HeartbeatNumber heartbeat = 0;
    std::optional<VersionFact> hidden;  // committed, visible from `shows`
    std::int64_t shows = 0;
    const std::int64_t end = 20 + upto(60);
    for (std::int64_t now = 1; now <= end; ++now) {
      if (!hidden && upto(6) == 0) {
        hidden = {.exists = true, .counts = {.on_hand = upto(3)}, .committed_at = at(now)};
        shows = now + upto(4);
      }
      if (hidden && shows == now) {
        ledger.commit(kTea, *hidden);
        visible = {.exists = true,
                   .version = visible.version + 1,
                   .counts = hidden->counts,
                   .as_of = hidden->committed_at};
        hidden.reset();
      }
      if (upto(4) == 0) ledger.beat(++heartbeat, at(now));
      Told seen{visible, now};
      // Its stamp was taken before what it saw.
      seen.reading.true_through = std::max(at(now - upto(3)), visible.as_of);
      seen.reading.heartbeat = heartbeat;
      told.push_back(seen);
    }
    // A copy of some time, shown at some later one.
    const Told& copy = told[static_cast<std::size_t>(upto(end - 1))];
    const std::int64_t asked = copy.when + upto(end - copy.when);
    const Told& then = told[static_cast<std::size_t>(asked - 1)];
    Claim claim{.answer = {Outcome::kHit, copy.reading},
                .asked_earliest = at(std::max<std::int64_t>(asked - upto(2), 1)),
                .asked_latest = at(asked + upto(2))};
    const KeyHistory history = ledger.of(kTea, {copy.reading.version});
    const Judgement honest = compare(claim, history);
    ++verdicts[honest.verdict];
    EXPECT_THAT(honest.verdict,
                ::testing::AnyOf(Verdict::kCurrent, Verdict::kStale, Verdict::kInconclusive));
    const auto successor = history.versions.find(copy.reading.version + 1);
    const bool recorded = successor != history.versions.end() && successor->second.seen_by;
    if (copy.reading.version == then.reading.version && recorded) {
      EXPECT_NE(honest.verdict, Verdict::kStale) << "it was still the newest when asked";
    }
    if (honest.verdict == Verdict::kCurrent) {
      EXPECT_EQ(copy.reading.version, then.reading.version);
    }

    // The same with the date of when it was asked, in each of the two places.
    if (copy.reading.version == then.reading.version) continue;
    Claim forged = claim;
    forged.answer.reading.heartbeat = then.reading.heartbeat;
    const bool told_by_heartbeat =
        recorded && then.reading.heartbeat >= *successor->second.shown_by;
    EXPECT_EQ(compare(forged, history).verdict == Verdict::kMisdated, told_by_heartbeat);
    forged = claim;
    forged.answer.reading.true_through = at(asked);
    const bool told_by_date = recorded && at(asked) >= *successor->second.seen_by;
    EXPECT_EQ(compare(forged, history).verdict == Verdict::kMisdated, told_by_date);
  }
  EXPECT_GT(verdicts[Verdict::kCurrent], 200);
  EXPECT_GT(verdicts[Verdict::kStale], 200);
  EXPECT_GT(verdicts[Verdict::kInconclusive], 20);
}

TEST(Verdicts, have_names_of_their_own) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kVerdicts; ++i) names.insert(verdict_name(static_cast<Verdict>(i)));
  EXPECT_EQ(names.size(), kVerdicts);
  EXPECT_FALSE(names.contains("unknown"));
}

}  // namespace
}  // namespace stock::drift
