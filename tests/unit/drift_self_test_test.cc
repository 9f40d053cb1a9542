#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "stock/clock/database_clock.h"
#include "stock/drift/self_test.h"
#include "stock/feed/ledger_identity.h"
#include "stock/feed/view.h"
#include "stock/memory/memory_layer.h"
#include "support/eventually.h"
#include "support/manual_clock.h"

namespace stock::drift {
namespace {

using domain::Key;
using domain::Reading;
using support::eventually;
using ::testing::Ge;
using ::testing::UnorderedElementsAre;

constexpr int kLies = 9;  // of a trial, in each layer
constexpr domain::DatabaseTime kNow{std::chrono::hours(24)};

class Counted final : public SelfTestObserver {
 public:
  void lie_found(std::string_view layer, std::chrono::nanoseconds after) override {
    EXPECT_EQ(after.count(), 0) << "by a clock that stands still";
    const std::lock_guard lock(mutex_);
    ++found_[std::string(layer)];
  }
  void lie_missed(std::string_view layer, std::string_view lie) override {
    const std::lock_guard lock(mutex_);
    ++missed_[std::string(layer)];
    names_.insert(std::string(lie));
  }
  void falsely_accused(std::string_view layer) override {
    const std::lock_guard lock(mutex_);
    ++accused_[std::string(layer)];
  }
  int found(const std::string& layer = "made_up") const { return of(found_, layer); }
  int missed(const std::string& layer = "made_up") const { return of(missed_, layer); }
  int accused(const std::string& layer = "made_up") const { return of(accused_, layer); }
  std::set<std::string> names() const {
    const std::lock_guard lock(mutex_);
    return names_;
  }

 private:
  int of(const std::map<std::string, int>& counts, const std::string& layer) const {
    const std::lock_guard lock(mutex_);
    const auto it = counts.find(layer);
    return it == counts.end() ? 0 : it->second;
  }
  mutable std::mutex mutex_;  // guards the rest
  std::map<std::string, int> found_;
  std::map<std::string, int> missed_;
  std::map<std::string, int> accused_;
  std::set<std::string> names_;  // of lies that were missed
};

// A layer that keeps what it is offered, and says what `say` makes of it.
class Shelf final : public layers::Layer, public layers::Fillable, public layers::Removable {
 public:
  [[nodiscard]] std::string_view name() const override { return "shelf"; }
  void offer(std::span<const Key> keys, std::span<const Reading> readings) override {
    const std::lock_guard lock(mutex_);
    ++offers_;
    planter_ = std::this_thread::get_id();
    if (!keeps) return;
    for (std::size_t i = 0; i < keys.size(); ++i) copies_[keys[i]] = readings[i];
  }
  void read(std::span<const Key> keys, std::span<layers::Answer> answers,
            const layers::ReadContext& /*context*/, layers::Done done) override {
    {
      const std::lock_guard lock(mutex_);
      const bool silent = shuns_the_auditor && std::this_thread::get_id() != planter_;
      for (std::size_t i = 0; i < keys.size(); ++i) {
        if (silent) answers[i].outcome = domain::Outcome::kTimeout;
        if (silent) continue;
        const auto it = copies_.find(keys[i]);
        if (it != copies_.end()) answers[i] = {domain::Outcome::kHit, say(it->second), nullptr};
      }
      if (forgets) copies_.clear();
    }
    done("");
  }
  void remove(std::span<const Key> keys, absl::AnyInvocable<void(absl::Status)> done) override {
    {
      const std::lock_guard lock(mutex_);
      ++removals_;
      for (const Key& key : keys) copies_.erase(key);
    }
    done(absl::OkStatus());
  }
  int offers() const {
    const std::lock_guard lock(mutex_);
    return offers_;
  }
  int removals() const {
    const std::lock_guard lock(mutex_);
    return removals_;
  }
  std::size_t copies() const {
    const std::lock_guard lock(mutex_);
    return copies_.size();
  }

  // Before the test begins.
  bool keeps = true;
  bool forgets = false;  // what it has said once
  bool shuns_the_auditor = false;
  std::function<Reading(const Reading&)> say = [](const Reading& copy) { return copy; };

 private:
  mutable std::mutex mutex_;  // guards the rest
  std::map<Key, Reading> copies_;
  int offers_ = 0;
  std::thread::id planter_;
  int removals_ = 0;
};

std::function<void()>& meanwhile() {
  static std::function<void()> what;
  return what;
}

// Finds nothing.
Judgement blind(const Claim& /*claim*/, const KeyHistory& /*history*/) {
  if (meanwhile()) meanwhile()();
  return {};
}

class SelfTestTest : public ::testing::Test {
 protected:
  SelfTestTest() {
    database_clock.measured(clock.now(), kNow, clock.now());
    identity.primary_says(7);
    meanwhile() = {};
  }
  static SelfTest::Options options(Compare judge = &compare) {
    return {.interval = std::chrono::milliseconds(1),
            .patience = std::chrono::seconds(30),
            .auditor = {.interval = std::chrono::milliseconds(1), .budget = 1, .judge = judge}};
  }
  // Some of the lies are never found, which is waited for in each trial.
  static SelfTest::Options impatient(Compare judge = &compare) {
    SelfTest::Options wanted = options(judge);
    wanted.patience = std::chrono::seconds(2);
    return wanted;
  }
  SelfTest begin(const SelfTest::Options& options, std::vector<BackDoor> doors = {}) {
    return {options, std::move(doors), identity, database_clock, clock, counted};
  }
  BackDoor door(bool redates = false) {
    return {.layer = &shelf, .fill = &shelf, .copies = &shelf, .power = &power, .redates = redates};
  }
  support::ManualClock clock;
  clock::DatabaseClock database_clock{clock};
  feed::LedgerIdentity identity;
  layers::Switch power{"shelf"};
  Shelf shelf;
  Counted counted;
};

TEST_F(SelfTestTest, every_lie_of_every_trial_is_found_and_nobody_else_is_accused) {
  {
    const SelfTest test = begin(options());
    ASSERT_TRUE(eventually([this] { return counted.found(); }, Ge(3 * kLies)));
  }
  EXPECT_EQ(counted.missed(), 0);
  EXPECT_EQ(counted.accused(), 0);
}

TEST_F(SelfTestTest, what_a_broken_comparison_misses_is_counted) {
  {
    const SelfTest test = begin(impatient([](const Claim& claim, const KeyHistory& history) {
      const Judgement judgement = compare(claim, history);
      return judgement.verdict == Verdict::kMisdated ? Judgement{Verdict::kCurrent} : judgement;
    }));
    ASSERT_TRUE(eventually([this] { return counted.missed(); }, Ge(4)));
  }
  EXPECT_EQ(counted.missed() % 4, 0);
  EXPECT_THAT(counted.names(), UnorderedElementsAre("date", "heartbeat", "future", "commit"));
  EXPECT_EQ(counted.accused(), 0);
}

TEST_F(SelfTestTest, a_lie_with_another_name_or_size_is_missed) {
  {
    const SelfTest test = begin(impatient([](const Claim& claim, const KeyHistory& history) {
      Judgement judgement = compare(claim, history);
      if (judgement.verdict == Verdict::kWrongCount) ++judgement.units;
      if (judgement.verdict == Verdict::kAhead) judgement.verdict = Verdict::kStale;
      return judgement;
    }));
    ASSERT_TRUE(eventually([this] { return counted.missed(); }, Ge(2)));
  }
  EXPECT_THAT(counted.names(), UnorderedElementsAre("counts", "ahead"));
  EXPECT_EQ(counted.accused(), 0);
}

TEST_F(SelfTestTest, a_false_accusation_is_counted) {
  const SelfTest test = begin(
      options([](const Claim& claim, const KeyHistory& history) {
        const Judgement judgement = compare(claim, history);
        return judgement.verdict == Verdict::kCurrent ? Judgement{Verdict::kMisdated} : judgement;
      }),
      {door()});
  // All of the honest layer, and the one honest statement of the others.
  ASSERT_TRUE(eventually([this] { return counted.accused(); }, Ge(kLies + 2)));
  ASSERT_TRUE(eventually([this] { return counted.accused("shelf"); }, Ge(1)));
  EXPECT_EQ(counted.missed(), 0);
}

TEST_F(SelfTestTest, lies_in_a_layer_are_found_under_its_name_and_taken_back) {
  {
    const SelfTest test = begin(options(), {door()});
    ASSERT_TRUE(eventually([this] { return counted.found("shelf"); }, Ge(3 * kLies)));
  }
  EXPECT_EQ(counted.missed("shelf"), 0);
  EXPECT_EQ(counted.accused("shelf"), 0);
  EXPECT_EQ(counted.missed(), 0);
  EXPECT_EQ(counted.accused(), 0);
  EXPECT_EQ(shelf.copies(), 0u);
  EXPECT_GE(shelf.removals(), 3);
}

TEST_F(SelfTestTest, lies_in_memory_are_found) {
  const feed::View no_feed(0);
  memory::MemoryLayer memory({.capacity = 1000}, no_feed);
  memory::PeekLayer peek(memory);
  {
    const SelfTest test =
        begin(options(), {{.layer = &peek, .fill = &memory, .copies = &memory, .power = &power}});
    ASSERT_TRUE(eventually([this] { return counted.found("memory"); }, Ge(2 * kLies)));
  }
  EXPECT_EQ(counted.missed("memory"), 0);
  EXPECT_EQ(counted.accused("memory"), 0);
  EXPECT_EQ(memory.stats().entries, 0u);
}

TEST_F(SelfTestTest, who_is_told_something_else_than_readers_misses_lies) {
  shelf.say = [](const Reading& copy) {
    Reading said = copy;
    if (copy.counts.on_hand == 41) --said.counts.on_hand;
    return said;
  };
  const SelfTest test = begin(impatient(), {door()});
  ASSERT_TRUE(eventually([this] { return counted.missed("shelf"); }, Ge(1)));
  EXPECT_THAT(counted.names(), UnorderedElementsAre("counts"));
  EXPECT_EQ(counted.missed(), 0);
}

TEST_F(SelfTestTest, a_layer_may_vouch_for_its_copies) {
  shelf.say = [this](const Reading& copy) {
    Reading said = copy;
    const auto now = *database_clock.earliest(clock.now());
    said.true_through = std::max(copy.true_through, now);
    return said;
  };
  {
    const SelfTest test = begin(options(), {door(true)});
    ASSERT_TRUE(eventually([this] { return counted.found("shelf"); }, Ge(2 * kLies)));
  }
  EXPECT_EQ(counted.missed("shelf"), 0);
  EXPECT_EQ(counted.accused("shelf"), 0);
}

TEST_F(SelfTestTest, a_layer_that_does_not_is_misdated_where_it_should_be_stale) {
  shelf.say = [this](const Reading& copy) {
    Reading said = copy;
    const auto now = *database_clock.earliest(clock.now());
    said.true_through = std::max(copy.true_through, now);
    return said;
  };
  const SelfTest test = begin(impatient(), {door()});
  ASSERT_TRUE(eventually([this] { return counted.missed("shelf"); }, Ge(1)));
  EXPECT_THAT(counted.names(), UnorderedElementsAre("stale"));
}

TEST_F(SelfTestTest, what_a_layer_did_not_take_is_not_missed_there) {
  shelf.keeps = false;
  {
    const SelfTest test = begin(options(), {door()});
    ASSERT_TRUE(eventually([this] { return shelf.offers(); }, Ge(3)));
    ASSERT_TRUE(eventually([this] { return counted.found(); }, Ge(2 * kLies)));
  }
  EXPECT_EQ(counted.found("shelf"), 0);
  EXPECT_EQ(counted.missed("shelf"), 0);
}

TEST_F(SelfTestTest, nor_is_what_has_gone_from_it) {
  shelf.forgets = true;
  {
    const SelfTest test = begin(impatient(), {door()});
    ASSERT_TRUE(eventually([this] { return counted.found(); }, Ge(2 * kLies)));
  }
  EXPECT_EQ(counted.found("shelf"), 0);
  EXPECT_EQ(counted.missed("shelf"), 0);
}

TEST_F(SelfTestTest, nor_is_what_the_layer_was_asked_for_in_vain) {
  shelf.shuns_the_auditor = true;
  {
    const SelfTest test = begin(impatient(), {door()});
    ASSERT_TRUE(eventually([this] { return counted.found(); }, Ge(2 * kLies)));
  }
  EXPECT_EQ(counted.found("shelf"), 0);
  EXPECT_EQ(counted.missed("shelf"), 0);
}

TEST_F(SelfTestTest, what_is_switched_off_is_left_alone) {
  power.set({.enabled = false});
  {
    const SelfTest test = begin(options(), {door()});
    ASSERT_TRUE(eventually([this] { return counted.found(); }, Ge(2 * kLies)));
  }
  EXPECT_EQ(shelf.offers(), 0);
}

TEST_F(SelfTestTest, nothing_is_planted_while_no_incarnation_is_known) {
  const feed::LedgerIdentity unknown;
  {
    const SelfTest test(options(), {door()}, unknown, database_clock, clock, counted);
    ASSERT_TRUE(eventually([this] { return counted.found(); }, Ge(2 * kLies)));
  }
  EXPECT_EQ(shelf.offers(), 0);
  EXPECT_EQ(counted.missed(), 0);
}

TEST_F(SelfTestTest, there_is_no_trial_before_the_databases_clock_is_known) {
  clock::DatabaseClock unknown(clock);
  const SelfTest test(options(), {door()}, identity, unknown, clock, counted);
  EXPECT_EQ(shelf.offers(), 0);
  unknown.measured(clock.now(), kNow, clock.now());
  ASSERT_TRUE(eventually([this] { return counted.found("shelf"); }, Ge(kLies)));
  EXPECT_EQ(counted.missed(), 0);
}

// Each of these happens in the first trial, whose lies nobody finds; in the second nothing happens.
class DisturbedSelfTestTest : public SelfTestTest {
 protected:
  void expect_that_the_first_trial_does_not_count(std::function<void()> disturbance) {
    std::atomic<bool> first = true;
    meanwhile() = [&first, disturbance = std::move(disturbance)] {
      if (first.exchange(false)) disturbance();
    };
    {
      const SelfTest test = begin(impatient(&blind), {door()});
      ASSERT_TRUE(eventually([this] { return shelf.removals(); }, Ge(1)));
      EXPECT_EQ(counted.missed(), 0);
      ASSERT_TRUE(eventually([this] { return counted.missed("shelf"); }, Ge(kLies)));
    }
    EXPECT_GE(counted.missed(), kLies);
    EXPECT_EQ(counted.missed() % kLies, 0);
    meanwhile() = {};
  }
};

TEST_F(DisturbedSelfTestTest, the_databases_clock_is_set) {
  expect_that_the_first_trial_does_not_count(
      [this] { database_clock.measured(clock.now(), kNow + std::chrono::hours(1), clock.now()); });
}

TEST_F(DisturbedSelfTestTest, another_incarnation_begins) {
  expect_that_the_first_trial_does_not_count([this] { identity.primary_says(8); });
}

TEST_F(DisturbedSelfTestTest, the_process_is_held_up) {
  expect_that_the_first_trial_does_not_count([this] { clock.advance(std::chrono::seconds(5)); });
}

TEST_F(SelfTestTest, it_stops_in_the_middle_of_a_long_wait) {
  SelfTest::Options patient = options(&blind);
  patient.auditor.interval = std::chrono::hours(1);
  patient.interval = std::chrono::hours(1);
  const auto began = std::chrono::steady_clock::now();
  { const SelfTest test = begin(patient, {door()}); }
  EXPECT_LT(std::chrono::steady_clock::now() - began, patient.patience);
  EXPECT_EQ(counted.missed(), 0) << "nobody waited for them";
  EXPECT_EQ(shelf.copies(), 0u);
}

}  // namespace
}  // namespace stock::drift
