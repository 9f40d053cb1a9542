#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "auditor_world.h"

namespace stock::drift {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::Ge;
using ::testing::IsEmpty;

TEST_F(AuditorTest, all_keys_are_looked_at_round_and_round) {
  start();
  await_round();
  EXPECT_EQ(first.asked().size(), 10u);
  history.commit(key_of(0), {.exists = true, .counts = {}, .committed_at = DatabaseTime()});
  history.commit({"A", "berlin"}, {.exists = true, .counts = {}, .committed_at = DatabaseTime()});
  await_round();
  EXPECT_THAT(first.asked(), Contains(Key{"A", "berlin"}));
}

// Also where witnesses are asked about the next keys before these are judged.
TEST_F(AuditorTest, a_round_looks_at_each_key_once) {
  start();
  await_round();
  EXPECT_THAT(recorder.in_rounds(), Each(10u));
}

TEST_F(AuditorTest, only_rounds_of_the_one_that_leads_count_and_they_leave_nothing_out) {
  std::atomic<bool> leads{false};
  options.leads = [&leads] { return leads.load(); };
  std::vector<std::size_t> examined;  // what all share, by the end of each round that counts
  recorder.at_round_end = [&] { examined.push_back(second.asked().size()); };
  start();
  ASSERT_TRUE(eventually([this] { return recorder.looked_at(Cause::kRound); }, Ge(25u)));
  EXPECT_EQ(recorder.rounds(), 0);
  EXPECT_EQ(recorder.coverage(), 0);
  leads = true;
  await_round();
  auditor.reset();
  EXPECT_THAT(examined, Each(10u));
}

TEST_F(AuditorTest, planted_lies_are_found_in_the_layer_that_tells_them) {
  for (int n = 0; n < 10; ++n) first.put(key_of(n), 2, 20);
  second.put(key_of(1), 2, 20);
  second.put(key_of(3), 1, 10);
  second.put(key_of(4), 2, 27);
  second.put(key_of(5), 9, 20);
  second.put(key_of(6), 0, 99);
  start();
  await_round();
  for (const Verdict lie :
       {Verdict::kStale, Verdict::kWrongCount, Verdict::kAhead, Verdict::kNeverTrue}) {
    EXPECT_GE(recorder.count(1, lie), 1) << verdict_name(lie);
    EXPECT_EQ(recorder.count(0, lie), 0) << verdict_name(lie);
  }
  EXPECT_GE(recorder.count(0, Verdict::kCurrent), 10);
  EXPECT_GE(recorder.count(1, Verdict::kAbsent), 1);
  const LayerSummary summary = recorder.summary(1);
  EXPECT_EQ(summary.divergent_keys, 4u);
  EXPECT_EQ(summary.max_units, 79);
  EXPECT_EQ(summary.max_versions, 7);
  EXPECT_GE(summary.max_age, seconds(97));
  EXPECT_LE(summary.max_age, seconds(98));
  EXPECT_EQ(recorder.summary(0).divergent_keys, 0u);
}

TEST_F(AuditorTest, a_divergence_is_followed_up_until_it_is_mended) {
  options.keys_per_step = 1;
  first.put(key_of(1), 1, 10);
  first.put(key_of(2), 1, 10);
  start();
  ASSERT_TRUE(eventually([this] { return recorder.summary(0).divergent_keys == 2; }));
  first.put(key_of(1), 2, 20);
  ASSERT_TRUE(eventually([this] { return recorder.summary(0).divergent_keys == 1; }));
  first.drop(key_of(2));
  ASSERT_TRUE(eventually([this] { return recorder.summary(0).divergent_keys == 0; }));
  EXPECT_EQ(recorder.summary(0).max_units, 0);
}

TEST_F(AuditorTest, not_more_keys_are_followed_up_than_allowed) {
  options.max_divergent_keys = 2;
  for (int n = 0; n < 10; ++n) first.put(key_of(n), 1, 10);
  start();
  await_round();
  EXPECT_EQ(recorder.summary(0).divergent_keys, 2u);
}

TEST_F(AuditorTest, a_witness_that_does_not_answer_is_unreachable_and_may_answer_later) {
  options.patience = milliseconds(5);
  for (int n = 0; n < 10; ++n) {
    first.put(key_of(n), 1, 10);
    second.put(key_of(n), 2, 20);
  }
  first.be_silent();
  start();
  await_round();
  EXPECT_GE(recorder.count(0, Verdict::kUnreachable), 10);
  EXPECT_EQ(recorder.count(0, Verdict::kStale), 0);
  EXPECT_GE(recorder.count(1, Verdict::kCurrent), 10);
  first.speak();
  ASSERT_TRUE(eventually([this] { return recorder.count(0, Verdict::kStale) > 0; }));
}

TEST_F(AuditorTest, a_witness_may_answer_after_the_auditor_is_gone) {
  first.be_silent();
  start();
  ASSERT_TRUE(eventually([this] { return first.waiting() > 0; }));
  const auto began = std::chrono::steady_clock::now();
  auditor.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - began, options.patience / 2);
  first.speak();
  EXPECT_EQ(recorder.count(1, Verdict::kAbsent), 0) << "a pass that was broken off tells nothing";
  EXPECT_THAT(recorder.failures(), IsEmpty());
}

TEST_F(AuditorTest, it_stops_in_the_middle_of_a_long_interval) {
  options.interval = std::chrono::hours(1);
  start();
  ASSERT_TRUE(eventually([this] { return recorder.passes() == 1; }));
  const auto began = std::chrono::steady_clock::now();
  auditor.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - began, seconds(30));
}

// Rounds find nothing to look at.
class AuditorBeyondRounds : public AuditorTest {
 protected:
  AuditorBeyondRounds() {
    for (int n = 0; n < 10; ++n) second.put(key_of(n), 1, 10);
    for (int n = 0; n < 10; ++n) first.put(key_of(n), 1, 10);
    history.hide_keys(true);
  }
};

TEST_F(AuditorBeyondRounds, what_just_moved_is_looked_at) {
  start();
  clock.advance(milliseconds(300));
  moved.put(key_of(7), clock.now() - milliseconds(250));
  moved.put(key_of(7), clock.now());
  ASSERT_TRUE(eventually([this] { return recorder.count(0, Verdict::kStale); }, Ge(1)));
  ASSERT_TRUE(eventually([this] { return recorder.count(1, Verdict::kStale); }, Ge(1)));
  EXPECT_THAT(first.asked(), ::testing::ElementsAre(key_of(7)));
  ASSERT_TRUE(eventually([this] { return recorder.looked_at(Cause::kMoved); }, Ge(1u)));
  EXPECT_EQ(recorder.looked_at(Cause::kMoved), 1u) << "once";
  EXPECT_THAT(recorder.detections(), ::testing::Each(nanoseconds(milliseconds(250))));
  EXPECT_EQ(recorder.detections().size(), 2u) << "in two layers";
}

// What idle rounds take is no part of what the auditor may take from readers.
TEST_F(AuditorBeyondRounds, passes_in_which_nothing_moved_and_nobody_read_are_told_apart) {
  start();
  ASSERT_TRUE(eventually([this] { return recorder.idle_passes(); }, Ge(2)));
  EXPECT_EQ(recorder.serving_passes(), 0);
  moved.put(key_of(7), clock.now());
  EXPECT_TRUE(eventually([this] { return recorder.serving_passes(); }, Ge(1)));
}

TEST_F(AuditorBeyondRounds, what_is_read_is_looked_at_in_all_layers_whoever_leads) {
  options.leads = [] { return false; };
  start();
  const std::vector<Key> keys{key_of(3)};
  ASSERT_TRUE(eventually([&] {
    sample.note(keys);
    return recorder.count(1, Verdict::kStale) > 0 && recorder.count(0, Verdict::kStale) > 0;
  }));
  EXPECT_THAT(second.asked(), ::testing::ElementsAre(key_of(3)));
}

TEST_F(AuditorBeyondRounds, what_all_share_is_looked_at_by_the_one_that_leads) {
  options.leads = [] { return false; };
  start();
  moved.put(key_of(7), clock.now());
  ASSERT_TRUE(eventually([this] { return recorder.looked_at(Cause::kMoved); }, Ge(1u)));
  EXPECT_GE(recorder.count(0, Verdict::kStale), 1);
  EXPECT_THAT(second.asked(), ::testing::Not(Contains(key_of(5))));
}

TEST_F(AuditorBeyondRounds, too_many_are_dropped_and_counted) {
  options.keys_per_pass = 4;
  for (int n = 0; n < 10; ++n) moved.put(key_of(n), clock.now());
  start();
  ASSERT_TRUE(eventually([this] { return recorder.left_out(Cause::kMoved); }, ::testing::Eq(6u)));
  ASSERT_TRUE(eventually([this] { return recorder.looked_at(Cause::kMoved); }, ::testing::Eq(4u)));
}

TEST_F(AuditorBeyondRounds, what_was_to_be_examined_while_the_ledger_cannot_be_asked_is_counted) {
  history.fail(absl::UnavailableError("the primary is gone"));
  moved.put(key_of(7), clock.now());
  moved.put(key_of(8), clock.now());
  start();
  EXPECT_TRUE(eventually([this] { return recorder.left_out(Cause::kMoved); }, ::testing::Eq(2u)));
}

TEST_F(AuditorTest, without_the_ledger_nobody_is_judged) {
  first.put(key_of(1), 1, 10);
  history.fail(absl::UnavailableError("the primary is gone"));
  start();
  ASSERT_TRUE(eventually([this] { return recorder.failures(); }, Contains("the primary is gone")));
  EXPECT_EQ(recorder.passes(), 0);
  history.fail(absl::OkStatus());
  await_round();
  EXPECT_EQ(recorder.summary(0).divergent_keys, 1u);
}

}  // namespace
}  // namespace stock::drift
