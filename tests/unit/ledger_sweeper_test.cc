#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "stock/ledger/sweeper.h"
#include "support/eventually.h"
#include "support/fake_store.h"
#include "support/manual_clock.h"

namespace stock::ledger {
namespace {

using domain::DatabaseTime;
using domain::Key;
using domain::ReservationState;
using domain::Uuid;
using std::chrono::hours;
using std::chrono::seconds;
using support::eventually;
using support::FakeStore;
using ::testing::Eq;
using ::testing::Ge;

// Each hold has its own, so that no other one's end is its own.
Key key(std::uint8_t number) { return {"SKU" + std::to_string(number), "berlin"}; }

class NoObserver final : public Observer {
 public:
  void waited(std::chrono::nanoseconds) override {}
  void batch_decided(const Plan&, std::chrono::nanoseconds) override {}
  void refused(Reason) override {}
  void retried(Retry) override {}
};

// Those of a ledger, and others that it knows nothing of.
class Ended final : public Holds {
 public:
  explicit Ended(const FakeStore& store) : store_(store) {}

  void add(std::uint8_t number) {
    const std::lock_guard lock(mutex_);
    all_.push_back({DatabaseTime(seconds(number)), Uuid{number}});
  }
  void fail(absl::Status status) {
    const std::lock_guard lock(mutex_);
    failure_ = std::move(status);
  }

  absl::StatusOr<std::vector<EndedHold>> ended(std::int32_t limit,
                                               const EndedHold& after) override {
    const std::lock_guard lock(mutex_);
    if (!failure_.ok()) return std::exchange(failure_, absl::OkStatus());
    std::vector<EndedHold> found;
    for (const EndedHold& hold : all_) {
      const auto known = store_.reservation(hold.id);
      if (known && known->state != ReservationState::kHeld) continue;
      if (hold.end <= after.end || found.size() == static_cast<std::size_t>(limit)) continue;
      found.push_back(hold);
    }
    return found;
  }

  absl::StatusOr<std::int64_t> count(std::int64_t limit) override {
    const std::lock_guard lock(mutex_);
    ++counts_;
    if (!uncountable_.ok()) return uncountable_;
    std::int64_t held = 0;
    for (const EndedHold& hold : all_) {
      const auto known = store_.reservation(hold.id);
      held += known && known->state == ReservationState::kHeld ? 1 : 0;
    }
    return std::min(held, limit);
  }
  void fail_counts(absl::Status status) {
    const std::lock_guard lock(mutex_);
    uncountable_ = std::move(status);
  }
  int counts() {
    const std::lock_guard lock(mutex_);
    return counts_;
  }

 private:
  const FakeStore& store_;
  std::mutex mutex_;  // guards the rest
  std::vector<EndedHold> all_;
  int counts_ = 0;
  absl::Status uncountable_;
  absl::Status failure_;
};

class SweeperTest : public ::testing::Test {
 protected:
  SweeperTest() {
    options_.interval = std::chrono::milliseconds(1);
    options_.limit = 2;
  }

  // A hold of one unit, that has ended.
  void hold(std::uint8_t number) {
    store_.put(key(number), {.on_hand = 1}, 1);
    Request request;
    request.id = Uuid{number};
    request.action = Action{.reservation = request.id,
                            .expected_revision = {},
                            .what = Reserve{.lines = {{key(number), 1}}, .ttl = seconds(60)}};
    std::promise<void> held;
    lanes_.submit(std::move(request), domain::LocalTime::max(), [&](const Outcome& outcome) {
      EXPECT_TRUE(std::holds_alternative<Applied>(outcome));
      held.set_value();
    });
    held.get_future().wait();
    ended_.add(number);
  }
  void end_all() { store_.set_now(DatabaseTime(hours(2))); }
  std::int64_t held() {
    std::int64_t units = 0;
    for (std::uint8_t n = 1; n < 20; ++n) units += store_.counts(key(n)).reserved;
    return units;
  }

  FakeStore store_;
  support::ManualClock clock_;
  NoObserver observer_;
  Lanes lanes_{{}, {store_}, clock_, observer_};
  Ended ended_{store_};
  Sweeper::Options options_;
};

TEST_F(SweeperTest, what_has_ended_is_given_back_a_few_at_a_time) {
  for (std::uint8_t n = 1; n <= 5; ++n) hold(n);
  end_all();
  const Sweeper sweeper(options_, ended_, lanes_, clock_);
  EXPECT_TRUE(eventually([&] { return sweeper.swept(); }, Eq(5)));
  EXPECT_EQ(held(), 0);
}

// As with levels that somebody keeps locked.
TEST_F(SweeperTest, what_cannot_be_ended_does_not_keep_the_others_from_it) {
  for (std::uint8_t n = 1; n <= 4; ++n) ended_.add(n);
  for (std::uint8_t n = 11; n <= 13; ++n) hold(n);
  end_all();
  const Sweeper sweeper(options_, ended_, lanes_, clock_);
  EXPECT_TRUE(eventually([&] { return held(); }, Eq(0)));
  // And again from the beginning.
  hold(5);
  store_.set_now(DatabaseTime(hours(4)));
  EXPECT_TRUE(eventually([&] { return sweeper.swept(); }, Eq(4)));
  EXPECT_EQ(held(), 0);
}

TEST_F(SweeperTest, a_hold_that_was_extended_meanwhile_is_not_swept) {
  hold(1);
  hold(2);
  std::atomic<int> sweeps = 0;
  options_.leads = [&] {
    ++sweeps;
    return true;
  };
  const Sweeper sweeper(options_, ended_, lanes_, clock_);
  EXPECT_TRUE(eventually([&] { return sweeps.load(); }, Ge(3)));
  EXPECT_EQ(sweeper.swept(), 0);
  EXPECT_EQ(held(), 2);
}

TEST_F(SweeperTest, only_who_leads_sweeps_and_a_failure_is_told_and_tried_again) {
  hold(1);
  end_all();
  std::atomic<bool> leads = false;
  std::atomic<int> asked = 0;
  std::atomic<int> failures = 0;
  options_.leads = [&] {
    ++asked;
    return leads.load();
  };
  options_.failed = [&](const std::string& error) {
    EXPECT_EQ(error, "gone");
    ++failures;
  };
  ended_.fail(absl::UnavailableError("gone"));
  const Sweeper sweeper(options_, ended_, lanes_, clock_);
  EXPECT_TRUE(eventually([&] { return asked.load(); }, Ge(3)));
  EXPECT_EQ(held(), 1);
  leads = true;
  EXPECT_TRUE(eventually([&] { return held(); }, Eq(0)));
  EXPECT_EQ(failures, 1);
}

TEST_F(SweeperTest, who_leads_counts_now_and_then_what_is_held) {
  for (std::uint8_t n = 1; n <= 5; ++n) hold(n);
  options_.count_limit = 4;
  std::atomic<bool> leads = true;
  std::atomic<int> sweeps = 0;
  options_.leads = [&] {
    ++sweeps;
    return leads.load();
  };
  const auto await_sweeps = [&] {
    EXPECT_TRUE(eventually([&] { return sweeps.load(); }, Ge(sweeps + 3)));
  };
  const Sweeper sweeper(options_, ended_, lanes_, clock_);
  EXPECT_TRUE(eventually([&] { return sweeper.held(); }, Eq(4)));
  end_all();
  EXPECT_TRUE(eventually([&] { return sweeper.swept(); }, Eq(5)));
  await_sweeps();
  EXPECT_EQ(ended_.counts(), 1);
  clock_.advance(seconds(5));
  EXPECT_TRUE(eventually([&] { return sweeper.held(); }, Eq(0)));
  EXPECT_EQ(ended_.counts(), 2);
  hold(6);
  clock_.advance(seconds(5));
  EXPECT_TRUE(eventually([&] { return sweeper.held(); }, Eq(1)));
  leads = false;
  EXPECT_TRUE(eventually([&] { return sweeper.held(); }, Eq(0)));
}

TEST_F(SweeperTest, what_cannot_be_counted_is_told) {
  ended_.fail_counts(absl::UnavailableError("too slow"));
  std::atomic<int> failures = 0;
  options_.failed = [&](const std::string& error) {
    EXPECT_EQ(error, "too slow");
    ++failures;
  };
  const Sweeper sweeper(options_, ended_, lanes_, clock_);
  EXPECT_TRUE(eventually([&] { return failures.load(); }, Eq(1)));
}

}  // namespace
}  // namespace stock::ledger
