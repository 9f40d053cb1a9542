// What flags say is kept as long as it is known to be so, and asked for once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stock/layers/flag_forks.h"
#include "stock/layers/flag_reader.h"
#include "support/fake_flag_service.h"
#include "support/manual_clock.h"
#include "support/manual_timers.h"

namespace stock::layers {
namespace {

using namespace std::chrono_literals;
using domain::FlagsSaid;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const std::vector<domain::Flag> kFlags = {{"black-friday", domain::FlagEffect::kCap}};
const absl::Status kRefused = absl::UnavailableError("refused");
const absl::Status kLate = absl::DeadlineExceededError("late");

FlagsSaid cap(double units) { return {{"capped", "TARGETING_MATCH", units}}; }

class Counting final : public FlagObserver {
 public:
  void looked_up(const std::array<std::int64_t, kLookups>& outcomes) override {
    for (std::size_t i = 0; i < kLookups; ++i) lookups[i] += outcomes[i];
  }
  void answered(std::span<const FlagAnswer> answers) override { answers_ += answers.size(); }
  void failed(const absl::Status&, bool down) override { down ? ++downs : ++failures; }
  void stream_closed(const absl::Status&) override { ++closings; }
  void recovered() override { ++recoveries; }

  std::array<std::int64_t, kLookups> lookups{};
  std::size_t answers_ = 0;
  int downs = 0;
  int failures = 0;
  int closings = 0;
  int recoveries = 0;
};

struct Told {
  bool told = false;
  std::vector<FlagAnswer> answers;

  [[nodiscard]] const FlagAnswer& only() const { return answers.at(0); }
  [[nodiscard]] double units() const { return std::get<double>(only().said->at(0).value); }
};

class FlagReaderTest : public ::testing::Test {
 protected:
  void make(FlagReader::Options options = {}) {
    reader_ = std::make_unique<FlagReader>(options, service_, clock_, timers_, counted_);
    reader_->start();
    service_.answer_probe();
  }
  void open() {
    service_.listener->opened();
    service_.answer_probe();
  }
  std::shared_ptr<Told> ask(const std::string& cohort = "beta", const std::string& sku = "mug") {
    return ask(std::vector<FlagQuestion>{{cohort, {sku, "LON"}}});
  }
  std::shared_ptr<Told> ask(std::vector<FlagQuestion> questions) {
    auto told = std::make_shared<Told>();
    reader_->evaluate(std::move(questions), clock_.now() + reader_->patience(),
                      [told](std::vector<FlagAnswer> answers) {
                        EXPECT_FALSE(told->told);
                        told->told = true;
                        told->answers = std::move(answers);
                      });
    return told;
  }
  // Asks, and lets the service say this.
  std::shared_ptr<Told> ask_and_hear(double units) {
    auto told = ask();
    service_.answer(cap(units));
    return told;
  }
  void probe(const absl::Status& status = absl::OkStatus()) {
    clock_.advance(1s);
    timers_.run_due();
    service_.answer_probe(status);
  }
  [[nodiscard]] std::chrono::nanoseconds age(const Told& told) const {
    return clock_.now() - told.only().true_through;
  }

  support::ManualClock clock_;
  support::ManualTimers timers_{clock_};
  support::FakeFlagService service_;
  Counting counted_;
  std::unique_ptr<FlagReader> reader_;
};

TEST_F(FlagReaderTest, asks_once_and_keeps_what_was_said_while_the_stream_says_nothing) {
  make();
  open();
  const auto first = ask_and_hear(5);
  ASSERT_TRUE(first->told);
  EXPECT_EQ(first->units(), 5);
  EXPECT_FALSE(first->only().unreachable);
  const auto again = ask();
  ASSERT_TRUE(again->told);
  EXPECT_EQ(again->units(), 5);
  EXPECT_THAT(service_.asked, IsEmpty());
  EXPECT_THAT(counted_.lookups, ElementsAre(1, 1, 0));
  EXPECT_EQ(counted_.answers_, 2U);
}

TEST_F(FlagReaderTest, each_cohort_sku_and_location_is_asked_for_on_its_own) {
  make();
  open();
  ask("beta", "mug");
  ask("gold", "mug");
  ask("beta", "cup");
  ask(std::vector<FlagQuestion>{{"beta", {"mug", "MAN"}}});
  EXPECT_THAT(service_.asked, SizeIs(4));
  for (int i = 0; i < 4; ++i) service_.answer(cap(i));
}

TEST_F(FlagReaderTest, the_age_is_the_time_since_the_service_was_last_known_to_live) {
  make();
  open();
  ask_and_hear(5);
  clock_.advance(400ms);
  EXPECT_EQ(age(*ask()), 400ms);
  probe();  // sent 1 s after that
  EXPECT_EQ(age(*ask()), 0ms);
  clock_.advance(300ms);
  EXPECT_EQ(age(*ask()), 300ms);
}

TEST_F(FlagReaderTest, the_age_counts_from_when_the_question_was_sent) {
  make();
  open();
  const auto told = ask();
  clock_.advance(200ms);
  service_.answer(cap(5));
  EXPECT_EQ(age(*told), 200ms);
}

TEST_F(FlagReaderTest, after_a_change_everything_is_evaluated_anew) {
  make();
  open();
  ask_and_hear(5);
  service_.listener->changed();
  const auto told = ask();
  EXPECT_FALSE(told->told);
  service_.answer(cap(7));
  EXPECT_EQ(told->units(), 7);
  EXPECT_EQ(ask()->units(), 7);
  EXPECT_THAT(counted_.lookups, ElementsAre(1, 1, 1));
}

TEST_F(FlagReaderTest, a_question_that_was_sent_before_a_change_says_nothing_of_afterwards) {
  make();
  open();
  const auto before = ask();
  service_.listener->changed();
  const auto after = ask();
  ASSERT_THAT(service_.asked, SizeIs(2));
  service_.answer(cap(5));
  EXPECT_EQ(before->units(), 5);
  EXPECT_FALSE(after->told);
  // Nor is it kept as if it did.
  const auto later = ask();
  EXPECT_FALSE(later->told);
  service_.answer(cap(7));
  EXPECT_EQ(after->units(), 7);
  EXPECT_EQ(later->units(), 7);
}

TEST_F(FlagReaderTest, a_late_answer_does_not_replace_what_was_asked_for_later) {
  make();
  open();
  ask();
  service_.listener->changed();
  clock_.advance(1ms);
  ask();
  auto late = std::move(service_.asked.front());
  service_.asked.pop_front();
  service_.answer(cap(7));
  late.done(cap(5));
  EXPECT_EQ(ask()->units(), 7);
}

TEST_F(FlagReaderTest, without_a_stream_nothing_is_taken_to_be_still_so) {
  make();
  ask_and_hear(5);
  const auto told = ask();
  EXPECT_FALSE(told->told);
  service_.answer(cap(6));
  EXPECT_EQ(told->units(), 6);
}

TEST_F(FlagReaderTest, when_the_stream_breaks_what_was_kept_grows_old) {
  make();
  open();
  ask_and_hear(5);
  probe();
  service_.listener->closed(kRefused);
  clock_.advance(10s);
  const auto told = ask();
  service_.answer(kRefused);
  ASSERT_TRUE(told->told);
  EXPECT_EQ(told->units(), 5);
  EXPECT_TRUE(told->only().unreachable);
  EXPECT_EQ(age(*told), 10s);  // since the last probe, not since it was asked for
  EXPECT_EQ(counted_.closings, 1);
}

TEST_F(FlagReaderTest, ages_are_right_over_several_breaks_of_the_stream) {
  make();
  open();
  ask_and_hear(5);
  probe();
  const auto alive = clock_.now();
  service_.listener->closed(kRefused);
  for (int i = 0; i < 3; ++i) {
    clock_.advance(1s);
    open();
    service_.listener->closed(kRefused);
  }
  const auto told = ask();
  service_.answer(kRefused);
  EXPECT_EQ(told->only().true_through, alive);
}

TEST_F(FlagReaderTest, an_age_that_is_forgotten_is_never_younger) {
  make();
  open();
  const auto asked = clock_.now();
  ask_and_hear(5);
  probe();
  for (int i = 0; i < 40; ++i) service_.listener->changed();
  const auto told = ask();
  service_.answer(kRefused);
  EXPECT_EQ(told->only().true_through, asked);
}

TEST_F(FlagReaderTest, many_who_ask_at_once_cause_one_question) {
  make();
  open();
  std::vector<std::shared_ptr<Told>> told;
  for (int i = 0; i < 10; ++i) told.push_back(ask());
  EXPECT_THAT(service_.asked, SizeIs(1));
  service_.answer(cap(5));
  for (const auto& each : told) EXPECT_EQ(each->units(), 5);
}

TEST_F(FlagReaderTest, only_so_many_questions_are_under_way) {
  make({.max_flights = 2});
  open();
  std::vector<std::shared_ptr<Told>> told;
  for (int i = 0; i < 5; ++i) told.push_back(ask("beta", "sku" + std::to_string(i)));
  EXPECT_THAT(service_.asked, SizeIs(2));
  for (int i = 0; i < 5; ++i) {
    EXPECT_THAT(service_.asked.size(), ::testing::Le(2U));
    service_.answer(cap(i));
  }
  for (int i = 0; i < 5; ++i) EXPECT_EQ(told[i]->units(), i);
}

TEST_F(FlagReaderTest, beyond_the_queue_nobody_waits) {
  make({.max_flights = 1, .max_queue = 1});
  open();
  ask("beta", "a");
  ask("beta", "b");
  const auto told = ask("beta", "c");
  ASSERT_TRUE(told->told);
  EXPECT_EQ(told->only().said, nullptr);
  EXPECT_TRUE(told->only().unreachable);
  service_.answer(cap(1));
  service_.answer(cap(2));
}

TEST_F(FlagReaderTest, a_reader_waits_no_longer_than_its_deadline_and_the_answer_is_kept) {
  make({.timeout = 250ms});
  open();
  const auto told = ask();
  clock_.advance(250ms);
  timers_.run_due();
  ASSERT_TRUE(told->told);
  EXPECT_TRUE(told->only().unreachable);
  EXPECT_EQ(told->only().said, nullptr);
  service_.answer(cap(5));
  EXPECT_EQ(ask()->units(), 5);
}

TEST_F(FlagReaderTest, a_service_that_fails_costs_one_wait_and_not_one_per_call) {
  make();
  open();
  const auto first = ask();
  service_.answer(kLate);
  EXPECT_TRUE(first->told);
  for (int i = 0; i < 5; ++i) {
    const auto told = ask();
    ASSERT_TRUE(told->told);
    EXPECT_TRUE(told->only().unreachable);
  }
  EXPECT_THAT(service_.asked, IsEmpty());
  EXPECT_FALSE(reader_->up());
  EXPECT_EQ(counted_.downs, 1);
  probe();
  EXPECT_TRUE(reader_->up());
  EXPECT_EQ(counted_.recoveries, 1);
  const auto told = ask_and_hear(5);
  EXPECT_EQ(told->units(), 5);
  EXPECT_FALSE(told->only().unreachable);
}

TEST_F(FlagReaderTest, when_it_fails_those_who_wait_for_their_turn_are_answered) {
  make({.max_flights = 1});
  open();
  std::vector<std::shared_ptr<Told>> told;
  for (int i = 0; i < 5; ++i) told.push_back(ask("beta", "sku" + std::to_string(i)));
  service_.answer(kRefused);
  for (const auto& each : told) EXPECT_TRUE(each->told);
  EXPECT_THAT(service_.asked, IsEmpty());
}

TEST_F(FlagReaderTest, a_failed_probe_is_told_even_of_what_is_kept_and_ages_grow) {
  make();
  open();
  ask_and_hear(5);
  probe(kLate);
  probe(kLate);
  const auto told = ask();
  ASSERT_TRUE(told->told);
  EXPECT_EQ(told->units(), 5);
  EXPECT_TRUE(told->only().unreachable);
  EXPECT_EQ(age(*told), 2s);
  probe();
  EXPECT_FALSE(ask()->only().unreachable);
  EXPECT_EQ(age(*ask()), 0s);
}

TEST_F(FlagReaderTest, by_policy_nothing_is_told_while_it_does_not_answer) {
  make({.when_down = FlagReader::WhenDown::kUnflagged});
  open();
  ask_and_hear(5);
  probe(kRefused);
  const auto told = ask();
  EXPECT_EQ(told->only().said, nullptr);
  EXPECT_TRUE(told->only().unreachable);
  probe();
  EXPECT_EQ(ask()->units(), 5);
}

TEST_F(FlagReaderTest, a_question_that_it_cannot_answer_leaves_it_up) {
  make();
  open();
  const auto told = ask();
  service_.answer(absl::InternalError("a rule that does not work"));
  EXPECT_TRUE(told->only().unreachable);
  EXPECT_TRUE(reader_->up());
  EXPECT_FALSE(ask("gold")->told);
  service_.answer(cap(1));
  EXPECT_EQ(counted_.downs, 0);
  EXPECT_EQ(counted_.failures, 1);
}

TEST_F(FlagReaderTest, a_failure_from_before_the_last_answer_is_no_news) {
  make();
  open();
  ask("beta", "slow");
  auto slow = std::move(service_.asked.front());
  service_.asked.pop_front();
  clock_.advance(1ms);
  ask_and_hear(5);
  slow.done(kLate);
  EXPECT_TRUE(reader_->up());
}

TEST_F(FlagReaderTest, an_open_stream_is_tried_at_once) {
  make();
  probe(kRefused);
  EXPECT_FALSE(reader_->up());
  service_.listener->opened();
  ASSERT_THAT(service_.probes, SizeIs(1));
  service_.answer_probe();
  EXPECT_TRUE(reader_->up());
}

TEST_F(FlagReaderTest, holds_no_more_than_its_capacity_and_drops_what_was_not_used) {
  make({.capacity = 2});
  open();
  for (const char* sku : {"a", "b"}) {
    ask("beta", sku);
    service_.answer(cap(1));
  }
  EXPECT_TRUE(ask("beta", "a")->told);
  ask("beta", "c");
  service_.answer(cap(1));
  EXPECT_NE(reader_->kept({"beta", {"a", "LON"}}), nullptr);
  EXPECT_EQ(reader_->kept({"beta", {"b", "LON"}}), nullptr);
  EXPECT_NE(reader_->kept({"beta", {"c", "LON"}}), nullptr);
}

TEST_F(FlagReaderTest, after_the_stop_it_answers_by_what_it_knows_and_asks_nobody) {
  make();
  open();
  ask_and_hear(5);
  ask("beta", "waits");
  reader_->stop();
  const auto told = ask("beta", "other");
  EXPECT_TRUE(told->told);
  EXPECT_EQ(ask()->units(), 5);
  EXPECT_THAT(service_.asked, SizeIs(1));
  service_.answer(kRefused);
  clock_.advance(10s);
  timers_.run_due();
  EXPECT_THAT(service_.probes, IsEmpty());
}

TEST_F(FlagReaderTest, several_questions_are_answered_together_in_their_order) {
  make();
  open();
  ask("gold");
  service_.answer(cap(9));
  const auto told = ask(std::vector<FlagQuestion>{
      {"beta", {"mug", "LON"}}, {"gold", {"mug", "LON"}}, {"beta", {"cup", "LON"}}});
  EXPECT_FALSE(told->told);
  service_.answer(cap(1));
  EXPECT_FALSE(told->told);
  service_.answer(cap(2));
  ASSERT_TRUE(told->told);
  std::vector<double> units;
  for (const auto& answer : told->answers)
    units.push_back(std::get<double>(answer.said->at(0).value));
  EXPECT_THAT(units, ElementsAre(1, 9, 2));
}

class FlagForksTest : public FlagReaderTest {};

TEST_F(FlagForksTest, counts_keys_on_which_cohorts_are_known_to_see_something_else) {
  make();
  open();
  FlagForks forks(kFlags, {"beta", "gold"}, *reader_);
  const domain::Key mug{"mug", "LON"};
  forks.asked(mug, 120);
  ask("beta");
  service_.answer(cap(5));
  EXPECT_THAT(forks.counts(), ElementsAre(0));  // nobody knows of the other
  ask("gold");
  service_.answer(cap(-1));
  EXPECT_THAT(forks.counts(), ElementsAre(1));
  forks.asked(mug, 4);  // fewer than the cap
  EXPECT_THAT(forks.counts(), ElementsAre(0));
  EXPECT_THAT(forks.keys(), ElementsAre(mug));
}

TEST_F(FlagForksTest, remembers_the_last_thousand_keys) {
  make();
  FlagForks forks(kFlags, {"beta"}, *reader_);
  for (int i = 0; i <= 1000; ++i) {
    forks.asked({"sku" + std::to_string(i), "LON"}, 1);
    forks.asked({"sku0", "LON"}, 1);
  }
  const auto keys = forks.keys();
  EXPECT_THAT(keys, SizeIs(FlagForks::kMaxKeys));
  EXPECT_EQ(keys.front(), (domain::Key{"sku0", "LON"}));
  EXPECT_EQ(keys.back(), (domain::Key{"sku2", "LON"}));
}

}  // namespace
}  // namespace stock::layers
