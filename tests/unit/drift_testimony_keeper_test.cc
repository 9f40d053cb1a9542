// What was told last is kept: when it is written, what waits meanwhile, and what finds no room.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <mutex>

#include "stock/drift/testimony_keeper.h"
#include "support/eventually.h"
#include "support/manual_clock.h"

namespace stock::drift {
namespace {

using namespace std::chrono_literals;
using support::eventually;
using ::testing::ElementsAre;
using ::testing::Eq;
using ::testing::Ge;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// What was written, in that order. Thread-safe.
class FakeStore final : public TestimonyStore {
 public:
  absl::Status keep(std::span<const KeptTestimony> testimonies) override {
    ++attempts_;
    const std::lock_guard gate(gate_);
    if (fails_) return absl::UnavailableError("the database is down");
    const std::lock_guard lock(mutex_);
    largest_ = std::max(largest_, testimonies.size());
    written_.insert(written_.end(), testimonies.begin(), testimonies.end());
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<Rows>> prune(std::int64_t rows_per_witness) override {
    bound_ = rows_per_witness;
    ++prunings_;
    return std::vector<Rows>{{.witness = "offline", .rows = 7}};
  }

  // Nothing is answered while it is locked.
  std::unique_lock<std::mutex> hold() { return std::unique_lock(gate_); }
  // What is told of, by its units.
  [[nodiscard]] std::vector<std::int64_t> written() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::int64_t> units;
    for (const KeptTestimony& kept : written_) units.push_back(kept.testimony.counts.on_hand);
    return units;
  }
  [[nodiscard]] KeptTestimony last() const {
    const std::lock_guard lock(mutex_);
    return written_.back();
  }
  [[nodiscard]] std::size_t largest() const {
    const std::lock_guard lock(mutex_);
    return largest_;
  }

  std::atomic<bool> fails_{false};
  std::atomic<int> attempts_{0};
  std::atomic<int> prunings_{0};
  std::atomic<std::int64_t> bound_{0};

 private:
  std::mutex gate_;
  mutable std::mutex mutex_;
  std::vector<KeptTestimony> written_;
  std::size_t largest_ = 0;
};

Told told(const std::string& instance, std::int64_t units, std::chrono::seconds sent = 60s) {
  Told told;
  told.testimony = {.witness = "offline",
                    .instance = instance,
                    .key = {.sku = "shirt", .location = "main"},
                    .extent = Extent::kAvailable};
  told.testimony.counts.on_hand = units;
  told.dates.sent = {domain::DatabaseTime(sent), domain::DatabaseTime(sent)};
  return told;
}

Judged as(Verdict verdict) {
  Judged judged{.incarnation = 5};
  judged.finding.judgement.verdict = verdict;
  return judged;
}

class TestimonyKeeperTest : public ::testing::Test {
 protected:
  TestimonyKeeper& start(std::size_t batch = 500, std::size_t capacity = 4096) {
    keeper_ = std::make_unique<TestimonyKeeper>(
        TestimonyKeeper::Options{.interval = 1ms,
                                 .batch = batch,
                                 .capacity = capacity,
                                 .rows = 100,
                                 .leads = [this] { return leads_.load(); },
                                 .failed = [this](const absl::Status&) { ++failures_; }},
        store_, clock_);
    return *keeper_;
  }
  // Whatever was handed over before has been left to wait.
  void wait_for_failures(int more) {
    const int before = failures_;
    ASSERT_TRUE(eventually([&] { return failures_.load(); }, Ge(before + more)));
  }

  support::ManualClock clock_;
  FakeStore store_;
  std::atomic<bool> leads_{true};
  std::atomic<int> failures_{0};
  std::unique_ptr<TestimonyKeeper> keeper_;
};

TEST_F(TestimonyKeeperTest, what_was_told_is_written_with_how_it_was_judged) {
  start().judged(told("tab", 42), as(Verdict::kNeverTrue));
  ASSERT_TRUE(eventually([&] { return store_.written(); }, ElementsAre(42)));
  EXPECT_TRUE(store_.last().lies);
  EXPECT_EQ(store_.last().incarnation, 5);
  keeper_->judged(told("tab", 120), as(Verdict::kCurrent));
  ASSERT_TRUE(eventually([&] { return store_.written(); }, ElementsAre(42, 120)));
  EXPECT_FALSE(store_.last().lies);
}

TEST_F(TestimonyKeeperTest, while_it_cannot_be_written_the_last_one_by_its_own_date_waits) {
  store_.fails_ = true;
  TestimonyKeeper& keeper = start();
  keeper.judged(told("tab", 1, 60s), as(Verdict::kCurrent));
  wait_for_failures(2);
  keeper.judged(told("tab", 3, 80s), as(Verdict::kCurrent));
  keeper.judged(told("tab", 2, 70s), as(Verdict::kCurrent));  // late
  keeper.judged(told("phone", 9, 10s), as(Verdict::kCurrent));
  wait_for_failures(2);
  EXPECT_THAT(store_.written(), IsEmpty());
  store_.fails_ = false;
  EXPECT_TRUE(eventually([&] { return store_.written(); }, ElementsAre(9, 3)));
  EXPECT_EQ(keeper.dropped(), 0);
}

TEST_F(TestimonyKeeperTest, what_finds_no_room_is_counted_and_what_has_room_is_still_renewed) {
  std::unique_lock held = store_.hold();
  TestimonyKeeper& keeper = start(500, 2);
  keeper.judged(told("a", 0), as(Verdict::kCurrent));
  ASSERT_TRUE(eventually([&] { return store_.attempts_.load(); }, Eq(1)));
  keeper.judged(told("a", 1), as(Verdict::kCurrent));
  keeper.judged(told("b", 2), as(Verdict::kCurrent));
  keeper.judged(told("a", 3), as(Verdict::kCurrent));
  EXPECT_EQ(keeper.dropped(), 0);
  keeper.judged(told("c", 4), as(Verdict::kCurrent));
  EXPECT_EQ(keeper.dropped(), 1);
  held.unlock();
  EXPECT_TRUE(eventually([&] { return store_.written(); }, ElementsAre(0, 3, 2)));
}

// While it is being tried to write the later one, an earlier one comes late.
TEST_F(TestimonyKeeperTest, what_could_not_be_written_gives_way_only_to_what_is_later) {
  std::unique_lock held = store_.hold();
  store_.fails_ = true;
  TestimonyKeeper& keeper = start();
  keeper.judged(told("tab", 3, 80s), as(Verdict::kCurrent));
  ASSERT_TRUE(eventually([&] { return store_.attempts_.load(); }, Eq(1)));
  keeper.judged(told("tab", 2, 70s), as(Verdict::kCurrent));
  held.unlock();
  wait_for_failures(1);
  store_.fails_ = false;
  EXPECT_TRUE(eventually([&] { return store_.written(); }, ElementsAre(3)));
}

TEST_F(TestimonyKeeperTest, no_more_than_a_batch_is_written_at_a_time) {
  store_.fails_ = true;
  TestimonyKeeper& keeper = start(10);
  for (int i = 0; i < 95; ++i) {
    keeper.judged(told("tab-" + std::to_string(i), i), as(Verdict::kCurrent));
  }
  store_.fails_ = false;
  ASSERT_TRUE(eventually([&] { return store_.written(); }, SizeIs(95)));
  EXPECT_EQ(store_.largest(), 10);
}

TEST_F(TestimonyKeeperTest, only_the_leader_prunes_once_a_minute) {
  leads_ = false;
  TestimonyKeeper& keeper = start();
  clock_.advance(2min);
  keeper.judged(told("tab", 1), as(Verdict::kCurrent));
  ASSERT_TRUE(eventually([&] { return store_.written(); }, SizeIs(1)));
  EXPECT_EQ(store_.prunings_, 0);
  leads_ = true;
  ASSERT_TRUE(eventually([&] { return keeper.rows("offline"); }, Eq(7)));
  EXPECT_EQ(keeper.rows("storefront"), 0);
  EXPECT_EQ(store_.bound_, 100);
  keeper.judged(told("tab", 2), as(Verdict::kCurrent));
  ASSERT_TRUE(eventually([&] { return store_.written(); }, SizeIs(2)));
  EXPECT_EQ(store_.prunings_, 1);
  clock_.advance(1min);
  EXPECT_TRUE(eventually([&] { return store_.prunings_.load(); }, Eq(2)));
}

TEST_F(TestimonyKeeperTest, what_waits_is_written_when_it_ends) {
  store_.fails_ = true;
  start().judged(told("tab", 42), as(Verdict::kCurrent));
  wait_for_failures(1);
  store_.fails_ = false;
  keeper_.reset();
  EXPECT_THAT(store_.written(), ElementsAre(42));
}

}  // namespace
}  // namespace stock::drift
