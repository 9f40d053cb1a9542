#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stock/drift/repairer.h"
#include "support/fake_layer.h"
#include "support/manual_clock.h"

namespace stock::drift {
namespace {

using layers::RepairPolicy;
using support::FakeLayer;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const domain::Key kKey{"lamp", "main"};

class Copies final : public layers::Removable {
 public:
  void remove(std::span<const domain::Key> keys,
              absl::AnyInvocable<void(absl::Status)> done) override {
    if (status.ok()) removed.insert(removed.end(), keys.begin(), keys.end());
    done(status);
  }
  std::vector<domain::Key> removed;
  absl::Status status;
};

struct Told final : RepairObserver {
  void repaired(std::size_t layer, std::span<const domain::Key> keys, RepairOutcome outcome,
                const std::string& actor, const std::string& reason) override {
    lines.push_back(std::to_string(layer) + " " + std::string(outcome_name(outcome)) + " " +
                    std::to_string(keys.size()) + " " + actor + ": " + reason);
  }
  std::vector<std::string> lines;
};

class RepairerTest : public ::testing::Test {
 protected:
  Repairer::Order order(RepairPolicy action) {
    return {.layer = "redis", .keys = {kKey}, .action = action, .actor = "ana", .reason = "lie"};
  }
  domain::LocalTime soon() { return clock_.now() + std::chrono::seconds(30); }

  support::ManualClock clock_;
  Copies memory_;
  Copies redis_;
  FakeLayer memory_layer_{"memory"};
  FakeLayer redis_layer_{"redis"};
  FakeLayer primary_{"primary"};
  layers::Switch memory_power_{"memory"};
  layers::Switch redis_power_{"redis"};
  Told told_;
  Repairer repairer_{{{"memory", &memory_, &memory_layer_, &memory_power_},
                      {"redis", &redis_, &redis_layer_, &redis_power_}},
                     primary_,
                     clock_,
                     told_};
};

TEST_F(RepairerTest, drops_a_copy_or_replaces_it_by_what_the_primary_says_and_is_counted) {
  primary_.says(kKey, {.exists = true, .version = 3, .counts = {.on_hand = 120}});
  EXPECT_TRUE(repairer_.repair(order(RepairPolicy::kDrop), soon()).ok());
  EXPECT_THAT(redis_.removed, ElementsAre(kKey));
  EXPECT_FALSE(redis_layer_.offered(kKey));
  EXPECT_TRUE(repairer_.repair(order(RepairPolicy::kRefresh), soon()).ok());
  EXPECT_EQ(redis_layer_.offered(kKey)->counts.on_hand, 120);
  EXPECT_THAT(memory_.removed, IsEmpty());
  EXPECT_THAT(told_.lines, ElementsAre("1 dropped 1 ana: lie", "1 refreshed 1 ana: lie"));
}

TEST_F(RepairerTest, a_copy_stays_while_the_primary_cannot_say_what_is_true) {
  primary_.fails(domain::Outcome::kError);
  EXPECT_TRUE(absl::IsUnavailable(repairer_.repair(order(RepairPolicy::kRefresh), soon())));
  EXPECT_THAT(redis_.removed, IsEmpty());
  redis_.status = absl::UnavailableError("redis: gone");
  EXPECT_EQ(repairer_.repair(order(RepairPolicy::kDrop), soon()).message(), "redis: gone");
  EXPECT_THAT(told_.lines, ElementsAre("1 failed 1 ana: lie", "1 failed 1 ana: lie"));
  auto unknown = order(RepairPolicy::kDrop);
  unknown.layer = "replica";
  EXPECT_TRUE(absl::IsNotFound(repairer_.repair(unknown, soon())));
}

TEST_F(RepairerTest, what_the_auditor_finds_is_treated_as_the_policy_of_the_layer_says) {
  primary_.says(kKey, {.exists = true, .version = 3});
  repairer_.found_lying("redis", {&kKey, 1}, soon());
  EXPECT_THAT(redis_.removed, IsEmpty());  // off, as long as nobody says otherwise
  redis_power_.set({.layer = "redis", .repair = RepairPolicy::kDrop});
  repairer_.found_lying("redis", {&kKey, 1}, soon());
  EXPECT_THAT(redis_.removed, ElementsAre(kKey));
  EXPECT_FALSE(redis_layer_.offered(kKey));
  redis_power_.set({.layer = "redis", .repair = RepairPolicy::kRefresh});
  repairer_.found_lying("redis", {&kKey, 1}, soon());
  EXPECT_TRUE(redis_layer_.offered(kKey));
  repairer_.found_lying("replica", {&kKey, 1}, soon());
  repairer_.found_lying("redis", {}, soon());
  EXPECT_THAT(told_.lines, ElementsAre("1 dropped 1 auditor: repair policy",
                                       "1 refreshed 1 auditor: repair policy"));
}

}  // namespace
}  // namespace stock::drift
