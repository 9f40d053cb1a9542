#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <optional>

#include "stock/drift/incident_keeper.h"
#include "support/eventually.h"
#include "support/fake_incidents.h"
#include "support/manual_clock.h"

namespace stock::drift {
namespace {

using namespace std::chrono_literals;
using support::eventually;
using support::FakeIncidents;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::size_t kMemory = 0;
constexpr std::size_t kRedis = 1;

domain::Key key_of(int n) { return {.sku = "SKU-" + std::to_string(n), .location = "berlin"}; }

Finding says(Verdict verdict, domain::Version version = 3) {
  Finding finding;
  finding.claim.answer = {domain::Outcome::kHit, {.exists = true, .version = version}};
  finding.claim.answer.reading.counts.on_hand = 42;
  finding.claim.asked_latest = domain::DatabaseTime(1000s);
  finding.judgement.verdict = verdict;
  return finding;
}

// What is told of incidents, and what is repaired. Thread-safe.
class Witnessed final : public IncidentObserver {
 public:
  void opened(const Incident& incident) override { note("opened", incident.key); }
  void closed(const Incident& incident) override { note("closed", incident.key); }
  void failed(const absl::Status& /*why*/) override {
    const std::lock_guard lock(mutex_);
    ++failures_;
  }
  void note(const std::string& what, const domain::Key& key) {
    const std::lock_guard lock(mutex_);
    events_.push_back(what + " " + key.sku);
  }
  [[nodiscard]] std::vector<std::string> events() const {
    const std::lock_guard lock(mutex_);
    return events_;
  }
  [[nodiscard]] int failures() const {
    const std::lock_guard lock(mutex_);
    return failures_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> events_;
  int failures_ = 0;
};

class IncidentKeeperTest : public ::testing::Test {
 protected:
  IncidentKeeperTest() { database_clock_.measured(clock_.now(), now_, clock_.now()); }
  // Those that the store and the board hold must outlive it.
  ~IncidentKeeperTest() override { keeper_.reset(); }

  IncidentKeeper& start() {
    keeper_ = std::make_unique<IncidentKeeper>(
        IncidentKeeper::Options{
            .witnesses = {{.layer = "memory"}, {.layer = "redis", .shared = true}},
            .instance = "a",
            .interval = 1ms,
            .leads = [this] { return leads_.load(); },
            .recorded =
                [this](const std::string& layer, std::span<const domain::Key> keys) {
                  if (repairing_) repairing_();
                  for (const domain::Key& key : keys) witnessed_.note("repair " + layer, key);
                }},
        store_, board_, suspects_, database_clock_, clock_, witnessed_);
    return *keeper_;
  }
  [[nodiscard]] std::vector<std::string> events() const { return witnessed_.events(); }
  // Two whole turns from now on have been taken.
  void wait_for_turns() {
    const int prunings = store_.prunings();
    for (int i = 1; i <= 2; ++i) {
      clock_.advance(2min);
      ASSERT_TRUE(eventually([&] { return store_.prunings(); }, Ge(prunings + i)));
    }
  }

  support::ManualClock clock_;
  const domain::DatabaseTime now_{1000s};
  clock::DatabaseClock database_clock_{clock_};
  FakeIncidents store_;
  IncidentBoard board_;
  KeyInbox suspects_{10'000};
  Witnessed witnessed_;
  std::atomic<bool> leads_{true};
  std::function<void()> repairing_;  // called before each repair; set before start()
  std::unique_ptr<IncidentKeeper> keeper_;
};

TEST_F(IncidentKeeperTest, a_lie_is_on_record_before_it_is_repaired_and_closed_when_it_ends) {
  repairing_ = [this] { ASSERT_THAT(store_.all(), SizeIs(1)); };
  IncidentKeeper& keeper = start();
  keeper.found(kRedis, key_of(1), says(Verdict::kWrongCount));
  EXPECT_TRUE(
      eventually([&] { return events(); }, ElementsAre("opened SKU-1", "repair redis SKU-1")));
  EXPECT_THAT(board_.open(), SizeIs(1));
  keeper.found(kRedis, key_of(1), says(Verdict::kCurrent));
  EXPECT_TRUE(eventually([&] { return events(); }, Contains("closed SKU-1")));
  EXPECT_TRUE(eventually([&] { return board_.open(); }, IsEmpty()));
  EXPECT_EQ(witnessed_.failures(), 0);
}

TEST_F(IncidentKeeperTest, what_could_not_be_written_waits_and_nothing_is_repaired_meanwhile) {
  store_.fail_next(FakeIncidents::Failure::kBefore);
  std::promise<void> go_on;
  IncidentKeeper& keeper = start();
  store_.before_next_decision([this, future = go_on.get_future().share()] {
    store_.before_next_decision([future] { future.wait(); });  // the one that is tried again
  });
  keeper.found(kRedis, key_of(1), says(Verdict::kAhead, 9));
  EXPECT_TRUE(eventually([&] { return witnessed_.failures(); }, Ge(1)));
  EXPECT_THAT(events(), IsEmpty());
  go_on.set_value();
  EXPECT_TRUE(
      eventually([&] { return events(); }, ElementsAre("opened SKU-1", "repair redis SKU-1")));
  EXPECT_THAT(store_.all(), SizeIs(1));
}

// The connection was lost at COMMIT: nobody knows, and deciding again opens no second one.
TEST_F(IncidentKeeperTest, what_was_written_without_an_answer_is_written_once) {
  store_.fail_next(FakeIncidents::Failure::kAfter);
  start().found(kRedis, key_of(1), says(Verdict::kWrongCount));
  EXPECT_TRUE(eventually([&] { return events(); }, Contains("repair redis SKU-1")));
  EXPECT_EQ(witnessed_.failures(), 1);
  EXPECT_THAT(store_.all(), SizeIs(1));
  EXPECT_THAT(board_.open(), SizeIs(1));
}

// A failed decision is put back beside what was found meanwhile, which is newer.
TEST_F(IncidentKeeperTest, a_recovery_outlives_the_failure_to_write_the_lie) {
  IncidentKeeper& keeper = start();
  store_.fail_next(FakeIncidents::Failure::kBefore);
  store_.before_next_decision([&] { keeper.found(kRedis, key_of(1), says(Verdict::kCurrent)); });
  keeper.found(kRedis, key_of(1), says(Verdict::kWrongCount));
  EXPECT_TRUE(eventually([&] { return witnessed_.failures(); }, Ge(1)));
  wait_for_turns();
  EXPECT_THAT(store_.all(), IsEmpty());
  EXPECT_THAT(events(), IsEmpty());
}

TEST_F(IncidentKeeperTest, a_recovery_found_while_the_lie_is_being_written_closes_it) {
  IncidentKeeper& keeper = start();
  store_.before_next_decision([&] { keeper.found(kRedis, key_of(1), says(Verdict::kCurrent)); });
  keeper.found(kRedis, key_of(1), says(Verdict::kWrongCount));
  EXPECT_TRUE(eventually([&] { return events(); }, Contains("closed SKU-1")));
  EXPECT_THAT(store_.all(), SizeIs(1));
}

TEST_F(IncidentKeeperTest, what_another_process_wrote_meanwhile_is_joined) {
  IncidentKeeper& keeper = start();
  Sighting elsewhere{.teller = {.witness = "memory@b", .key = key_of(1)},
                     .layer = "memory",
                     .lies = true,
                     .finding = says(Verdict::kWrongCount),
                     .at = now_};
  store_.before_next_decision([&] { store_.decide_elsewhere({elsewhere}); });
  keeper.found(kRedis, key_of(1), says(Verdict::kWrongCount));
  EXPECT_TRUE(eventually([&] { return events(); }, ElementsAre("repair redis SKU-1")));
  ASSERT_THAT(store_.all(), SizeIs(1));
  EXPECT_THAT(store_.all().front().witnesses, ElementsAre("memory@b", "redis"));
  // The truth in redis does not end what the other process's memory still says.
  keeper.found(kRedis, key_of(1), says(Verdict::kCurrent));
  EXPECT_TRUE(eventually([&] { return board_.open().front()->standing; }, SizeIs(1)));
  elsewhere.lies = false;
  store_.decide_elsewhere({elsewhere});
  EXPECT_TRUE(eventually([&] { return board_.open(); }, IsEmpty()));
}

TEST_F(IncidentKeeperTest, what_others_changed_is_followed_however_much_it_is) {
  leads_ = false;
  start();
  std::vector<Sighting> sightings;
  for (int n = 0; n < 1200; ++n) {
    sightings.push_back({.teller = {.witness = "layer" + std::to_string(n), .key = key_of(n)},
                         .layer = "layer" + std::to_string(n),
                         .lies = true,
                         .finding = says(Verdict::kWrongCount),
                         .at = now_});
  }
  ASSERT_TRUE(eventually([&] { return board_.edition().has_value(); }));
  store_.decide_elsewhere(sightings);
  EXPECT_TRUE(eventually([&] { return board_.open(); }, SizeIs(1200)));
  EXPECT_EQ(store_.decisions(), 0);
}

// A failover loses incidents, and may go on with later revisions than those.
TEST_F(IncidentKeeperTest, of_another_history_it_knows_what_that_one_holds_and_no_more) {
  IncidentKeeper& keeper = start();
  keeper.found(kRedis, key_of(1), says(Verdict::kWrongCount));
  ASSERT_TRUE(eventually([&] { return board_.open(); }, SizeIs(1)));
  const Edition kept = *board_.edition();
  keeper.found(kMemory, key_of(2), says(Verdict::kNeverTrue));
  ASSERT_TRUE(eventually([&] { return board_.open(); }, SizeIs(2)));
  store_.lose_all_since(kept.revision,
                        {.incarnation = kept.incarnation + 1, .revision = kept.revision + 32});
  ASSERT_TRUE(eventually([&] { return board_.open(); }, SizeIs(1)));
  EXPECT_EQ(board_.open().front()->key, key_of(1));
  keeper.found(kMemory, key_of(3), says(Verdict::kNeverTrue));
  ASSERT_TRUE(eventually([&] { return board_.open(); }, SizeIs(2)));
  EXPECT_EQ(board_.open().back()->key, key_of(3));
}

TEST_F(IncidentKeeperTest, when_revisions_go_back_it_begins_anew) {
  IncidentKeeper& keeper = start();
  ASSERT_TRUE(eventually([&] { return board_.edition().has_value(); }));
  const Edition before = *board_.edition();
  keeper.found(kRedis, key_of(1), says(Verdict::kWrongCount));
  ASSERT_TRUE(eventually([&] { return board_.open(); }, SizeIs(1)));
  store_.lose_all_since(before.revision, before);
  EXPECT_TRUE(eventually([&] { return board_.open(); }, IsEmpty()));
}

TEST_F(IncidentKeeperTest, it_begins_when_the_store_can_be_read) {
  store_.set_unreadable(true);
  IncidentKeeper& keeper = start();
  keeper.found(kMemory, key_of(1), says(Verdict::kNeverTrue));
  EXPECT_TRUE(eventually([&] { return witnessed_.failures(); }, Ge(3)));
  EXPECT_EQ(store_.decisions(), 0);
  store_.set_unreadable(false);
  EXPECT_TRUE(eventually([&] { return events(); }, Contains("opened SKU-1")));
  EXPECT_THAT(store_.all().front().witnesses, ElementsAre("memory@a"));
}

TEST_F(IncidentKeeperTest, what_stands_open_is_looked_at_again_by_whom_it_concerns) {
  leads_ = false;
  Sighting shared{.teller = {.witness = "redis", .key = key_of(1)},
                  .layer = "redis",
                  .lies = true,
                  .finding = says(Verdict::kWrongCount),
                  .at = now_};
  Sighting own = shared;
  own.teller = {.witness = "memory@a", .key = key_of(2)};
  own.layer = "memory";
  store_.decide_elsewhere({shared, own});
  start();
  const auto suspects = [&] {
    clock_.advance(1s);
    std::vector<std::string> skus;
    for (const NotedKey& noted : suspects_.take()) skus.push_back(noted.key.sku);
    return skus;
  };
  EXPECT_TRUE(eventually(suspects, ElementsAre("SKU-2")));
  leads_ = true;
  EXPECT_TRUE(eventually(suspects, ElementsAre("SKU-1", "SKU-2")));
}

TEST_F(IncidentKeeperTest, what_a_layer_told_that_nobody_examines_any_more_is_closed) {
  Sighting redis{.teller = {.witness = "redis", .key = key_of(1)},
                 .layer = "redis",
                 .lies = true,
                 .finding = says(Verdict::kWrongCount),
                 .at = now_};
  Sighting replica = redis;
  replica.teller = {.witness = "replica", .key = key_of(2)};
  replica.layer = "replica";
  store_.decide_elsewhere({redis, replica});
  start();
  ASSERT_TRUE(eventually([&] { return board_.open(); }, SizeIs(2)));
  clock_.advance(11min);
  database_clock_.measured(clock_.now(), now_ + 11min, clock_.now());
  ASSERT_TRUE(eventually([&] { return board_.open(); }, SizeIs(1)));
  EXPECT_EQ(board_.open().front()->layer, "redis");
}

TEST_F(IncidentKeeperTest, stopping_waits_for_the_repair_that_is_under_way_and_begins_no_other) {
  std::promise<void> begun;
  std::promise<void> go_on;
  repairing_ = [&, future = go_on.get_future().share()] {
    begun.set_value();
    future.wait();
  };
  IncidentKeeper& keeper = start();
  keeper.found(kRedis, key_of(1), says(Verdict::kWrongCount));
  begun.get_future().wait();
  keeper.found(kRedis, key_of(2), says(Verdict::kWrongCount));
  auto stopped = std::async(std::launch::async, [this] { keeper_.reset(); });
  EXPECT_EQ(stopped.wait_for(50ms), std::future_status::timeout);
  go_on.set_value();
  stopped.get();
  EXPECT_THAT(events(), ElementsAre("opened SKU-1", "repair redis SKU-1"));
}

TEST_F(IncidentKeeperTest, stopping_waits_for_the_statement_that_is_under_way) {
  std::promise<void> begun;
  std::promise<void> go_on;
  IncidentKeeper& keeper = start();
  store_.before_next_decision([&, future = go_on.get_future().share()] {
    begun.set_value();
    future.wait();
  });
  keeper.found(kRedis, key_of(1), says(Verdict::kWrongCount));
  begun.get_future().wait();
  auto stopped = std::async(std::launch::async, [this] { keeper_.reset(); });
  EXPECT_EQ(stopped.wait_for(50ms), std::future_status::timeout);
  go_on.set_value();
  stopped.get();
  EXPECT_THAT(store_.all(), SizeIs(1));
}

TEST_F(IncidentKeeperTest, notes_are_bounded_and_what_finds_no_room_is_found_again) {
  store_.set_unreadable(true);
  IncidentKeeper& keeper = start();
  constexpr int kMost = static_cast<int>(IncidentKeeper::kMaxNotes);
  for (int n = 0; n < kMost; ++n) keeper.found(kRedis, key_of(n), says(Verdict::kWrongCount));
  keeper.found(kMemory, key_of(kMost), says(Verdict::kWrongCount));
  store_.set_unreadable(false);
  ASSERT_TRUE(eventually([&] { return board_.open(); }, SizeIs(1)));
  EXPECT_EQ(board_.open().front()->layer, "redis");
  keeper.found(kMemory, key_of(kMost), says(Verdict::kWrongCount));
  EXPECT_TRUE(eventually([&] { return board_.open(); }, SizeIs(2)));
}

}  // namespace
}  // namespace stock::drift
