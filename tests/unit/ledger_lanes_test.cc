#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <set>
#include <string>
#include <utility>

#include "stock/ledger/lanes.h"
#include "support/fake_store.h"
#include "support/manual_clock.h"

namespace stock::ledger {
namespace {

using domain::Key;
using domain::MovementKind;
using domain::Uuid;
using support::FakeStore;
using ::testing::ElementsAre;
using ::testing::Gt;
using ::testing::SizeIs;

class NoObserver final : public Observer {
 public:
  void waited(std::chrono::nanoseconds) override {}
  void batch_decided(const Plan&, std::chrono::nanoseconds) override {}
  void refused(Reason) override {}
  void retried(Retry) override {}
};

// Two lanes, and which of them wrote what.
class LanesTest : public ::testing::Test {
 protected:
  // The lane that a request of these keys goes to. Waits for its answer.
  std::size_t lane_of(const std::vector<Key>& keys, MovementKind kind = MovementKind::kSet) {
    Request request;
    request.id = Uuid{++number_};
    request.kind = kind;
    for (const Key& key : keys) request.changes.emplace_back(Adjust{key, 1});
    const std::size_t before = first_.batches().size();
    std::promise<void> answered;
    lanes_.submit(std::move(request), domain::LocalTime::max(), [&](const Outcome& outcome) {
      EXPECT_TRUE(std::holds_alternative<Applied>(outcome));
      answered.set_value();
    });
    answered.get_future().wait();
    return first_.batches().size() > before ? 0 : 1;
  }
  LanesTest() {
    for (FakeStore* store : {&first_, &second_}) store->add_location("main");
  }
  static Key key(int n) { return {"SKU-" + std::to_string(n), "main"}; }

  support::ManualClock clock_;
  NoObserver observer_;
  FakeStore first_;
  FakeStore second_;
  Lanes lanes_{{}, {first_, second_}, clock_, observer_};

 private:
  std::uint8_t number_ = 0;
};

TEST_F(LanesTest, a_key_keeps_to_its_lane_and_keys_spread) {
  std::set<std::size_t> used;
  for (int n = 0; n < 40; ++n) {
    const std::size_t lane = lane_of({key(n)});
    EXPECT_EQ(lane_of({key(n)}), lane);
    used.insert(lane);
  }
  EXPECT_THAT(used, SizeIs(2));
}

TEST_F(LanesTest, orders_across_lanes_go_to_the_first) {
  std::vector<Key> of_the_second;
  std::vector<Key> of_the_first;
  for (int n = 0; n < 20; ++n)
    (lane_of({key(n)}) == 0 ? of_the_first : of_the_second).push_back(key(n));
  ASSERT_THAT(of_the_first.size(), Gt(1u));
  ASSERT_THAT(of_the_second.size(), Gt(1u));
  EXPECT_EQ(lane_of({of_the_second[0], of_the_second[1]}), 1u);
  EXPECT_EQ(lane_of({of_the_second[0], of_the_first[0]}), 0u);
  EXPECT_EQ(lane_of({of_the_second[0], of_the_first[0], of_the_second[1]}), 0u);
}

TEST_F(LanesTest, chunks_of_an_import_go_side_by_side) {
  std::vector<Key> keys;
  for (int n = 0; n < 20; ++n) keys.push_back(key(n));
  std::set<std::size_t> used;
  for (int chunk = 0; chunk < 40; ++chunk) used.insert(lane_of(keys, MovementKind::kImport));
  EXPECT_THAT(used, ElementsAre(0, 1));
}

}  // namespace
}  // namespace stock::ledger
