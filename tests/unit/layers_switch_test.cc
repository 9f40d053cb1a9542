#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "stock/layers/setting_keeper.h"
#include "stock/layers/switch.h"
#include "support/eventually.h"
#include "support/fake_layer.h"

namespace stock::layers {
namespace {

using support::eventually;
using support::FakeLayer;
using ::testing::ElementsAre;
using ::testing::Eq;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const domain::Key kKey{"lamp", "main"};
// 2026-11-24 02:07:09.480 UTC
constexpr domain::DatabaseTime kThen{std::chrono::microseconds(1'795'486'029'480'000)};

Setting off(const std::string& actor = "ana", const std::string& reason = "it lies") {
  return {.layer = "redis",
          .enabled = false,
          .switched = {.at = kThen, .actor = actor, .reason = reason}};
}

struct Asked {
  Answer answer;
  std::string detail;
};
Asked ask(Layer& layer) {
  Asked asked;
  layer.read({&kKey, 1}, {&asked.answer, 1}, {},
             [&](std::string detail) { asked.detail = std::move(detail); });
  return asked;
}

TEST(Switch, says_who_switched_it_off_when_and_why) {
  Switch power("redis");
  EXPECT_TRUE(power.on());
  EXPECT_EQ(power.why_off(), "");
  power.set(off());
  EXPECT_FALSE(power.on());
  EXPECT_EQ(power.why_off(), "disabled by ana since 2026-11-24 02:07:09 UTC: it lies");
  power.set(off("", ""));
  EXPECT_EQ(power.why_off(), "disabled by somebody since 2026-11-24 02:07:09 UTC");
}

TEST(Switch, what_a_layer_holds_is_thrown_away_before_it_is_on_again_and_only_then) {
  int thrown = 0;
  Switch power("memory", [&] { ++thrown; });
  power.set({.layer = "memory"});
  EXPECT_EQ(thrown, 0);  // it was on
  power.set(off());
  power.set(off("bob"));
  EXPECT_EQ(thrown, 0);
  power.set({.layer = "memory"});
  EXPECT_EQ(thrown, 1);
}

TEST(Switched, what_is_off_is_neither_asked_nor_told_anything) {
  FakeLayer inner("redis");
  inner.says(kKey, {.exists = true, .version = 1});
  Switch power("redis");
  Switched layer(inner, &inner, power);
  EXPECT_EQ(ask(layer).answer.outcome, domain::Outcome::kHit);

  power.set(off());
  const Asked asked = ask(layer);
  EXPECT_EQ(asked.answer.outcome, domain::Outcome::kBypassed);
  EXPECT_EQ(asked.detail, "disabled by ana since 2026-11-24 02:07:09 UTC: it lies");
  EXPECT_THAT(inner.reads(), SizeIs(1));
  const domain::Reading offered{.exists = true, .version = 2};
  layer.offer({&kKey, 1}, {&offered, 1});
  EXPECT_FALSE(inner.offered(kKey));

  power.set({.layer = "redis"});
  EXPECT_EQ(ask(layer).answer.outcome, domain::Outcome::kHit);
  layer.offer({&kKey, 1}, {&offered, 1});
  EXPECT_EQ(inner.offered(kKey)->version, 2);
}

// One row, or a failure.
class FakeStore final : public SettingStore {
 public:
  absl::StatusOr<std::vector<Setting>> all() override {
    const std::lock_guard lock(mutex_);
    ++asked_;
    if (!status_.ok()) return status_;
    return std::vector<Setting>{row_};
  }
  absl::StatusOr<Setting> change(const SettingChange& change) override {
    const std::lock_guard lock(mutex_);
    if (!status_.ok()) return status_;
    row_.enabled = change.enabled.value_or(row_.enabled);
    row_.repair = change.repair.value_or(row_.repair);
    row_.switched = {.at = kThen, .actor = change.actor, .reason = change.reason};
    return row_;
  }
  void becomes(Setting row) {
    const std::lock_guard lock(mutex_);
    row_ = std::move(row);
  }
  void fails(absl::Status status) {
    const std::lock_guard lock(mutex_);
    status_ = std::move(status);
  }
  int asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  std::mutex mutex_;
  Setting row_{.layer = "redis"};
  absl::Status status_;
  int asked_ = 0;
};

constexpr std::chrono::milliseconds kSoon{1};

TEST(SettingKeeper, what_is_off_is_off_from_the_start) {
  FakeStore store;
  store.becomes(off());
  Switch power("redis");
  SettingKeeper keeper({.interval = std::chrono::hours(1)}, store, {&power});
  keeper.start();
  EXPECT_FALSE(power.on());
}

TEST(SettingKeeper, follows_what_others_set_and_stays_as_it_was_while_nobody_can_be_asked) {
  FakeStore store;
  Switch power("redis");
  Switch other("memory");
  SettingKeeper keeper({.interval = kSoon}, store, {&power, &other});
  keeper.start();
  store.becomes(off());
  EXPECT_TRUE(eventually([&] { return power.on(); }, Eq(false)));
  EXPECT_TRUE(other.on());

  store.fails(absl::UnavailableError("gone"));
  store.becomes({.layer = "redis"});
  const int asked = store.asked();
  ASSERT_TRUE(eventually([&] { return store.asked() > asked + 2; }));
  EXPECT_FALSE(power.on());
  store.fails(absl::OkStatus());
  EXPECT_TRUE(eventually([&] { return power.on(); }));
}

TEST(SettingKeeper, a_change_holds_here_when_it_is_answered_and_is_told_once) {
  FakeStore store;
  Switch power("redis");
  std::atomic<int> told{0};
  SettingKeeper keeper({.interval = kSoon,
                        .changed =
                            [&](const Setting& before, const Setting& now) {
                              EXPECT_NE(before.enabled, now.enabled);
                              ++told;
                            }},
                       store, {&power});
  keeper.start();
  std::promise<bool> on;
  keeper.change(
      {.layer = "redis", .enabled = false, .repair = {}, .actor = "ana", .reason = "it lies"},
      [&](const absl::StatusOr<Setting>& setting) {
        EXPECT_TRUE(setting.ok());
        on.set_value(power.on());
      });
  EXPECT_FALSE(on.get_future().get());
  EXPECT_EQ(power.why_off(), "disabled by ana since 2026-11-24 02:07:09 UTC: it lies");
  const int asked = store.asked();
  ASSERT_TRUE(eventually([&] { return store.asked() > asked + 2; }));
  EXPECT_EQ(told, 1);
}

TEST(SettingKeeper, a_reason_for_not_knowing_is_told_once) {
  FakeStore store;
  store.fails(absl::UnavailableError("gone"));
  Switch power("redis");
  std::vector<std::string> errors;
  {
    SettingKeeper keeper(
        {.interval = kSoon, .failed = [&](const std::string& error) { errors.push_back(error); }},
        store, {&power});
    keeper.start();
    ASSERT_TRUE(eventually([&] { return store.asked() > 3; }));
  }
  EXPECT_THAT(errors, ElementsAre("gone"));
}

TEST(SettingKeeper, changes_that_do_not_fit_or_come_too_late_are_answered_too) {
  FakeStore store;
  Switch power("redis");
  std::vector<absl::StatusCode> codes;
  const auto done = [&](const absl::StatusOr<Setting>& setting) {
    codes.push_back(setting.status().code());
  };
  {
    SettingKeeper keeper({.max_changes = 1}, store, {&power});  // its thread does not run
    keeper.change({.layer = "redis", .enabled = false, .repair = {}, .actor = {}, .reason = {}},
                  done);
    EXPECT_THAT(codes, IsEmpty());
    keeper.change({.layer = "redis", .enabled = false, .repair = {}, .actor = {}, .reason = {}},
                  done);
    EXPECT_THAT(codes, ElementsAre(absl::StatusCode::kResourceExhausted));
  }
  EXPECT_THAT(codes,
              ElementsAre(absl::StatusCode::kResourceExhausted, absl::StatusCode::kUnavailable));
  EXPECT_TRUE(power.on());
}

TEST(Setting, policies_are_named) {
  for (const auto policy : {RepairPolicy::kOff, RepairPolicy::kDrop, RepairPolicy::kRefresh}) {
    EXPECT_EQ(parse_policy(policy_name(policy)), policy);
  }
  EXPECT_EQ(parse_policy("delete"), std::nullopt);
}

}  // namespace
}  // namespace stock::layers
