#include <gtest/gtest.h>

#include <atomic>

#include "stock/clock/local_clock.h"
#include "stock/drift/self_test.h"
#include "support/eventually.h"
#include "support/manual_clock.h"

namespace stock::drift {
namespace {

using support::eventually;
using ::testing::Eq;
using ::testing::Ge;

constexpr int kLies = 8;  // of a trial

struct Counted final : SelfTestObserver {
  void lie_found(std::chrono::nanoseconds after) override {
    EXPECT_EQ(after.count(), 0) << "by a clock that stands still";
    ++found;
  }
  void lie_missed() override { ++missed; }
  void falsely_accused() override { ++accused; }
  std::atomic<int> found{0};
  std::atomic<int> missed{0};
  std::atomic<int> accused{0};
};

class SelfTestTest : public ::testing::Test {
 protected:
  static SelfTest::Options options(Compare judge) {
    return {.interval = std::chrono::milliseconds(1),
            .patience = std::chrono::seconds(30),
            .auditor = {.interval = std::chrono::milliseconds(1), .budget = 1, .judge = judge}};
  }
  // Some of the lies are never found, which is waited for in each trial.
  static SelfTest::Options impatient(Compare judge) {
    SelfTest::Options wanted = options(judge);
    wanted.patience = std::chrono::seconds(2);
    return wanted;
  }
  support::ManualClock clock;
  Counted counted;
};

TEST_F(SelfTestTest, every_lie_of_every_trial_is_found_and_nobody_else_is_accused) {
  {
    SelfTest test(options(&compare), clock, counted);
    ASSERT_TRUE(eventually([this] { return counted.found.load(); }, Ge(3 * kLies)));
  }
  EXPECT_EQ(counted.missed, 0);
  EXPECT_EQ(counted.accused, 0);
}

TEST_F(SelfTestTest, what_a_broken_comparison_misses_is_counted) {
  {
    SelfTest test(impatient([](const Claim& claim, const KeyHistory& history) {
                    const Judgement judgement = compare(claim, history);
                    return judgement.verdict == Verdict::kMisdated ? Judgement{Verdict::kCurrent}
                                                                   : judgement;
                  }),
                  clock, counted);
    ASSERT_TRUE(eventually([this] { return counted.missed.load(); }, Ge(4)));
  }
  EXPECT_EQ(counted.missed % 4, 0) << "a date, a heartbeat, a date to come, and that of its commit";
  EXPECT_EQ(counted.accused, 0);
}

TEST_F(SelfTestTest, a_lie_with_another_name_or_size_is_missed) {
  SelfTest test(impatient([](const Claim& claim, const KeyHistory& history) {
                  Judgement judgement = compare(claim, history);
                  if (judgement.verdict == Verdict::kWrongCount) ++judgement.units;
                  if (judgement.verdict == Verdict::kAhead) judgement.verdict = Verdict::kStale;
                  return judgement;
                }),
                clock, counted);
  ASSERT_TRUE(eventually([this] { return counted.missed.load(); }, Ge(2)));
  EXPECT_EQ(counted.accused, 0);
}

TEST_F(SelfTestTest, a_false_accusation_is_counted) {
  SelfTest test(options([](const Claim& claim, const KeyHistory& history) {
                  const Judgement judgement = compare(claim, history);
                  return judgement.verdict == Verdict::kCurrent ? Judgement{Verdict::kMisdated}
                                                                : judgement;
                }),
                clock, counted);
  // All of the honest layer, and the one honest statement of the other.
  ASSERT_TRUE(eventually([this] { return counted.accused.load(); }, Ge(kLies + 2)));
  EXPECT_EQ(counted.missed, 0);
}

TEST_F(SelfTestTest, it_stops_in_the_middle_of_a_long_wait) {
  SelfTest::Options patient = options([](const Claim&, const KeyHistory&) { return Judgement{}; });
  patient.auditor.interval = std::chrono::hours(1);
  patient.interval = std::chrono::hours(1);
  const auto began = std::chrono::steady_clock::now();
  { SelfTest test(patient, clock, counted); }
  EXPECT_LT(std::chrono::steady_clock::now() - began, patient.patience);
  EXPECT_EQ(counted.missed, 0) << "nobody waited for them";
}

}  // namespace
}  // namespace stock::drift
