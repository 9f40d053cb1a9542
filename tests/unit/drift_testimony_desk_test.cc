// Who testifies waits in a bounded queue, and is always answered.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <mutex>

#include "stock/drift/testimony_desk.h"
#include "support/eventually.h"
#include "support/manual_clock.h"

namespace stock::drift {
namespace {

using namespace std::chrono_literals;
using support::eventually;
using ::testing::Eq;
using ::testing::SizeIs;

// Lends nothing until it is told to, and then only the reason why.
class HeldDesk final : public HistoryDesk {
 public:
  void submit(domain::LocalTime /*deadline*/, Task task) override {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  [[nodiscard]] std::size_t judges() const {
    const std::lock_guard lock(mutex_);
    return tasks_.size();
  }
  void fail() {
    std::vector<Task> tasks;
    {
      const std::lock_guard lock(mutex_);
      tasks.swap(tasks_);
    }
    for (Task& task : tasks) task(absl::UnavailableError("the database is down"));
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Task> tasks_;
};

std::vector<Testimony> some(std::size_t count) {
  return std::vector<Testimony>(count, {.witness = "offline",
                                        .key = {.sku = "shirt", .location = "main"},
                                        .extent = Extent::kAvailable});
}

class TestimonyDeskTest : public ::testing::Test {
 protected:
  TestimonyDeskTest() {
    database_clock_.measured(clock_.now(), domain::DatabaseTime(1000s), clock_.now());
  }
  ~TestimonyDeskTest() override { history_.fail(); }

  std::future<absl::Status> submit(std::size_t count, std::chrono::nanoseconds patience = 1h) {
    auto answered = std::make_shared<std::promise<absl::Status>>();
    desk_.submit(some(count), clock_.now() + patience,
                 [answered](const absl::StatusOr<TestimonyDesk::Heard>& heard) {
                   answered->set_value(heard.status());
                 });
    return answered->get_future();
  }
  static bool is_answered(const std::future<absl::Status>& answer) {
    return answer.wait_for(0s) == std::future_status::ready;
  }

  support::ManualClock clock_;
  clock::DatabaseClock database_clock_{clock_};
  feed::LedgerIdentity identity_;
  HeldDesk history_;
  TestimonyDesk desk_{
      {.queue = 100, .judges = 2, .timeout = 5s}, history_, identity_, database_clock_, clock_, {}};
};

TEST_F(TestimonyDeskTest, what_the_ledger_cannot_judge_is_answered_with_why) {
  auto one = submit(60);
  auto other = submit(40);
  ASSERT_TRUE(eventually([&] { return history_.judges(); }, Eq(2)));
  history_.fail();
  EXPECT_TRUE(absl::IsUnavailable(one.get()));
  EXPECT_TRUE(absl::IsUnavailable(other.get()));
  EXPECT_EQ(desk_.waiting(), 0);
}

TEST_F(TestimonyDeskTest, more_than_may_wait_is_refused_at_once) {
  auto waits = submit(60);
  auto refused = submit(41);
  ASSERT_TRUE(is_answered(refused));
  EXPECT_TRUE(absl::IsResourceExhausted(refused.get()));
  auto fits = submit(40);
  EXPECT_FALSE(is_answered(fits));
  EXPECT_EQ(desk_.waiting(), 100);
  ASSERT_TRUE(eventually([&] { return history_.judges(); }, Eq(2)));
  history_.fail();
  EXPECT_TRUE(absl::IsUnavailable(waits.get()));
}

TEST_F(TestimonyDeskTest, whoever_waits_past_its_deadline_is_answered_and_makes_room) {
  auto short_lived = submit(60, 1s);
  auto patient = submit(40);
  ASSERT_TRUE(eventually([&] { return history_.judges(); }, Eq(2)));
  clock_.advance(2s);
  EXPECT_TRUE(absl::IsDeadlineExceeded(short_lived.get()));
  EXPECT_TRUE(eventually([&] { return desk_.waiting(); }, Eq(40)));
  EXPECT_FALSE(is_answered(patient));
  history_.fail();
  EXPECT_TRUE(absl::IsUnavailable(patient.get()));
}

TEST_F(TestimonyDeskTest, whoever_names_no_deadline_does_not_wait_for_ever) {
  auto patient = submit(1, domain::LocalTime::max() - clock_.now());
  ASSERT_TRUE(eventually([&] { return history_.judges(); }, Eq(1)));
  clock_.advance(6s);
  EXPECT_TRUE(absl::IsDeadlineExceeded(patient.get()));
}

}  // namespace
}  // namespace stock::drift
