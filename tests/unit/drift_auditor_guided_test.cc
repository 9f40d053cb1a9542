#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "auditor_world.h"

namespace stock::drift {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::Ge;
using ::testing::IsEmpty;

// The second witness can be gone through; it has each key as it is.
class AuditorGuided : public AuditorTest {
 protected:
  AuditorGuided() {
    for (int n = 0; n < 10; ++n) {
      first.put(key_of(n), 2, 20);
      second.put(key_of(n), 2, 20);
    }
  }
  ~AuditorGuided() override { auditor.reset(); }  // before its guide

  void start() {
    measure();
    const std::vector<Witness> witnesses{{.layer = &first},
                                         {.layer = &second, .shared = true, .walkable = &guide}};
    auditor.emplace(options, witnesses, Auditor::Sources{.moved = moved, .read = sample}, history,
                    database_clock, clock, recorder);
  }
  [[nodiscard]] std::size_t checks(std::size_t layer) {
    std::size_t checks = 0;
    for (std::size_t v = 0; v < kVerdicts; ++v) {
      checks += static_cast<std::size_t>(recorder.count(layer, static_cast<Verdict>(v)));
    }
    return checks;
  }

  Guide guide{second};
};

TEST_F(AuditorGuided, a_witness_names_the_keys_of_rounds_and_says_what_it_has_in_one_answer) {
  history.hide_keys(true);
  start();
  await_round();
  auditor.reset();
  EXPECT_THAT(recorder.in_rounds(), Each(10u));
  EXPECT_THAT(second.asked(), IsEmpty()) << "it has said it";
  EXPECT_EQ(first.asked().size(), 10u) << "the others are asked about the same keys";
  EXPECT_THAT(guide.queries(), Each(::testing::Field(&layers::WalkQuery::limit, 3)));
  EXPECT_EQ(static_cast<std::size_t>(recorder.count(1, Verdict::kCurrent)), checks(1));
  EXPECT_EQ(static_cast<std::size_t>(recorder.count(0, Verdict::kCurrent)), checks(0));
  EXPECT_GE(checks(1), 20u);
}

TEST_F(AuditorGuided, who_lies_when_the_keys_are_named_is_asked_again_and_found) {
  second.put(key_of(3), 1, 10);
  second.put(key_of(4), 2, 27);
  start();
  await_round();
  EXPECT_GE(recorder.count(1, Verdict::kStale), 1);
  EXPECT_GE(recorder.count(1, Verdict::kWrongCount), 1);
  EXPECT_THAT(second.asked(), ::testing::ElementsAre(key_of(3), key_of(4)));
  EXPECT_EQ(recorder.summary(0).divergent_keys, 0u);
}

// The interleaving: a level is deleted after it was named, before the ledger is asked.
TEST_F(AuditorGuided, nobody_is_accused_of_what_is_deleted_while_the_ledger_is_asked) {
  std::atomic<bool> deleted{false};
  history.before_answering([&] {
    if (deleted.exchange(true)) return;
    for (int n = 0; n < 10; ++n) {
      history.commit(key_of(n), {.committed_at = DatabaseTime(seconds(1000))});
    }
  });
  start();
  ASSERT_TRUE(eventually([this] { return recorder.looked_at(Cause::kRound); }, Ge(3u)));
  auditor.reset();
  EXPECT_GE(recorder.count(1, Verdict::kCurrent), 3);
  EXPECT_EQ(checks(1), static_cast<std::size_t>(recorder.count(1, Verdict::kCurrent)));
}

TEST_F(AuditorGuided, where_the_witness_fails_the_ledger_names_the_keys) {
  guide.fail(absl::UnavailableError("too many wait for it"));
  start();
  await_round();
  EXPECT_THAT(recorder.in_rounds(), Each(10u));
  EXPECT_EQ(second.asked().size(), 10u) << "it is asked about them, as others are";
  EXPECT_GE(recorder.count(1, Verdict::kCurrent), 10);
  guide.fail(absl::OkStatus());
  second.put({"NEW", "berlin"}, 1, 10);
  ASSERT_TRUE(eventually([this] { return recorder.count(1, Verdict::kAhead); }, Ge(1)))
      << "of which the ledger does not know";
}

TEST_F(AuditorGuided, a_witness_that_is_silent_is_unreachable_and_the_round_goes_on) {
  options.patience = milliseconds(5);
  guide.be_silent();
  second.be_silent();
  start();
  await_round();
  EXPECT_THAT(recorder.in_rounds(), Each(10u));
  EXPECT_GE(recorder.count(1, Verdict::kUnreachable), 10);
  EXPECT_GE(recorder.count(0, Verdict::kCurrent), 10);
  guide.speak();  // all that it was asked, long ago
  second.speak();
  ASSERT_TRUE(eventually([this] { return recorder.count(1, Verdict::kCurrent); }, Ge(10)));
}

TEST_F(AuditorGuided, keys_are_judged_while_the_next_ones_are_named) {
  options.patience = std::chrono::minutes(1);
  history.hide_keys(true);
  std::atomic<bool> judged{false};
  history.before_answering([&] { judged = true; });
  guide.be_silent();
  start();
  ASSERT_TRUE(eventually([this] { return guide.queries().size(); }, ::testing::Eq(1u)));
  guide.answer_waiting();
  EXPECT_TRUE(eventually([&] { return judged.load(); })) << "of which nobody has named any";
  guide.speak();
  await_round();
  EXPECT_THAT(recorder.in_rounds(), Each(10u));
}

// The interleaving: keys are judged, which takes the ledger a while, when it is found that no
// witness names the next ones. The history fails the test when it is asked by two at a time; that
// it takes a while only makes sure that it would be.
TEST_F(AuditorGuided, the_ledger_is_asked_for_keys_when_it_has_answered_about_those_before) {
  history.before_answering([] { std::this_thread::sleep_for(milliseconds(1)); });
  guide.fail(absl::UnavailableError("too many wait for it"));
  start();
  await_round();
  EXPECT_THAT(recorder.in_rounds(), Each(10u));
}

TEST_F(AuditorGuided, a_witness_may_name_keys_after_the_auditor_is_gone) {
  guide.be_silent();
  start();
  ASSERT_TRUE(eventually([this] { return !guide.queries().empty(); }));
  const auto began = std::chrono::steady_clock::now();
  auditor.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - began, options.patience / 2);
  guide.speak();
  EXPECT_EQ(checks(0) + checks(1), 0u);
  EXPECT_THAT(recorder.failures(), IsEmpty());
}

TEST_F(AuditorGuided, who_does_not_lead_asks_the_ledger_for_the_keys) {
  options.leads = [] { return false; };
  start();
  ASSERT_TRUE(eventually([this] { return recorder.looked_at(Cause::kRound); }, Ge(25u)));
  auditor.reset();
  EXPECT_THAT(guide.queries(), IsEmpty());
  EXPECT_EQ(first.asked().size(), 10u);
}

TEST_F(AuditorGuided, what_is_new_is_named_in_the_next_round) {
  start();
  await_round();
  const Key added{"A", "berlin"};
  history.commit(
      added, {.exists = true, .counts = {.on_hand = 1}, .committed_at = DatabaseTime(seconds(50))});
  second.put(added, 1, 1);
  ASSERT_TRUE(eventually([&] { return first.asked(); }, Contains(added)));
  EXPECT_EQ(recorder.summary(1).divergent_keys, 0u);
}

}  // namespace
}  // namespace stock::drift
