#include <gtest/gtest.h>

#include <limits>
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
  EXPECT_EQ(level(10, 1).verdict, Verdict::kInconclusive);
  EXPECT_EQ(level(8, 2).verdict, Verdict::kInconclusive);
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

TEST(Verdicts, have_names_of_their_own) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kVerdicts; ++i) names.insert(verdict_name(static_cast<Verdict>(i)));
  EXPECT_EQ(names.size(), kVerdicts);
  EXPECT_FALSE(names.contains("unknown"));
}

}  // namespace
}  // namespace stock::drift
