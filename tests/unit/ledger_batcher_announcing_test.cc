#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <span>

#include "batcher_world.h"

namespace stock::ledger {
namespace {

using ::testing::IsEmpty;

// What was announced.
class Hearing final : public Announcer {
 public:
  [[nodiscard]] Seen seen() const override { return {incarnation, heartbeat}; }
  void committed(std::span<const Key> keys, std::span<const domain::Reading> levels) override {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < keys.size(); ++i) news_[keys[i]] = levels[i];
  }
  std::map<Key, domain::Reading> news() {
    const std::lock_guard lock(mutex_);
    return news_;
  }

  std::atomic<domain::Incarnation> incarnation = FakeStore::kIncarnation;
  std::atomic<domain::HeartbeatNumber> heartbeat = 12;

 private:
  std::mutex mutex_;
  std::map<Key, domain::Reading> news_;
};

TEST_F(BatcherTest, what_was_committed_is_announced_as_of_its_commit) {
  Hearing hearing;
  store.set_now(domain::DatabaseTime(std::chrono::hours(7)));
  batcher.emplace(options, store, clock, observer, &hearing);
  submit(adjust(1, kTea, -3));
  ASSERT_TRUE(eventually([&] { return hearing.news().size() == 1; }));
  const domain::Reading level = hearing.news()[kTea];
  EXPECT_TRUE(level.exists);
  EXPECT_EQ(level.version, 2);
  EXPECT_EQ(level.counts.on_hand, 97);
  EXPECT_EQ(level.as_of, domain::DatabaseTime(std::chrono::hours(7)));
  EXPECT_EQ(level.true_through, level.as_of);
  EXPECT_EQ(level.incarnation, FakeStore::kIncarnation);
  EXPECT_EQ(level.heartbeat, 12) << "that was seen before the transaction";
  batcher->stop(clock.now());
}

TEST_F(BatcherTest, nothing_is_announced_by_who_has_seen_no_heartbeat_nor_what_was_refused) {
  Hearing hearing;
  hearing.heartbeat = 0;
  batcher.emplace(options, store, clock, observer, &hearing);
  submit(adjust(1, kTea, -3));
  applied(0);
  hearing.heartbeat = 1;
  submit(adjust(2, kTea, -300));
  refusal(1);
  batcher->stop(clock.now());
  EXPECT_THAT(hearing.news(), IsEmpty());
}

TEST_F(BatcherTest, what_cannot_be_dated_is_applied_and_not_announced) {
  Hearing hearing;
  store.forget_commits();
  batcher.emplace(options, store, clock, observer, &hearing);
  submit(adjust(1, kTea, -3));
  EXPECT_EQ(applied(0).levels.at(0).version, 2);
  batcher->stop(clock.now());  // after the announcement, if there is one
  EXPECT_THAT(hearing.news(), IsEmpty());
}

// The interleaving: the feed of the former primary has seen heartbeat 12; another one, whose
// heartbeats count from another number, takes its place; the transaction is committed there.
TEST_F(BatcherTest, what_another_history_took_is_not_announced_by_the_heartbeats_of_the_former) {
  Hearing hearing;
  hearing.incarnation = FakeStore::kIncarnation - 1;
  batcher.emplace(options, store, clock, observer, &hearing);
  submit(adjust(1, kTea, -3));
  applied(0);
  batcher->stop(clock.now());
  EXPECT_THAT(hearing.news(), IsEmpty());
}

// A version that its own transaction replaced was never true.
TEST_F(BatcherTest, of_a_batch_only_the_last_version_of_a_key_is_announced) {
  Hearing hearing;
  store.before_commit([this] { hold.pass(); });
  batcher.emplace(options, store, clock, observer, &hearing);
  submit(adjust(255, {"CUP", "berlin"}, 1));
  hold.await_visitor();
  submit(adjust(1, kTea, -3));
  Set counted;
  counted.key = kTea;
  counted.on_hand = 5;
  Request import{.id = adjust(2, kTea, 0).id, .digest = {}, .kind = domain::MovementKind::kImport};
  import.changes.emplace_back(counted);
  submit(import);
  submit(adjust(3, {"CUP", "berlin"}, 1));
  submit(adjust(4, {"CUP", "berlin"}, 1));
  release();
  applied(4);
  batcher->stop(clock.now());
  ASSERT_EQ(store.batches().size(), 2u) << "they went together";
  EXPECT_FALSE(hearing.news().contains(kTea)) << "what an import left is not announced";
  EXPECT_EQ((hearing.news()[{"CUP", "berlin"}].version), 3);
}

TEST_F(BatcherTest, a_hold_is_announced_with_its_end_and_its_release_without_one) {
  Hearing hearing;
  store.set_now(domain::DatabaseTime(std::chrono::hours(7)));
  batcher.emplace(options, store, clock, observer, &hearing);
  Request create = reserve(1, {{kTea, 4}});
  submit(create);
  ASSERT_TRUE(eventually([&] { return hearing.news()[kTea].version == 2; }));
  EXPECT_EQ(hearing.news()[kTea].earliest_expiry,
            domain::DatabaseTime(std::chrono::hours(7) + seconds(60)));
  submit(on_reservation(2, create.id, Release{}));
  ASSERT_TRUE(eventually([&] { return hearing.news()[kTea].version == 3; }));
  EXPECT_EQ(hearing.news()[kTea].earliest_expiry, domain::DatabaseTime{});
  batcher->stop(clock.now());
}

}  // namespace
}  // namespace stock::ledger
