#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "stock/layers/location_directory.h"
#include "support/manual_clock.h"
#include "support/manual_timers.h"

namespace stock::layers {
namespace {

using domain::DatabaseTime;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr domain::Incarnation kIncarnation = 7;
constexpr DatabaseTime kStart{seconds(1000)};

// A database whose questions wait until the test answers them.
class HeldCatalogue final : public Catalogue {
 public:
  [[nodiscard]] std::string_view name() const override { return "primary"; }
  void levels(LevelQuery, const ReadContext&, PageDone<LevelPage>) override {}
  void movements(MovementQuery, const ReadContext&, PageDone<MovementPage>) override {}
  void past(PastQuery, const ReadContext&, PageDone<PastPage>) override {}
  void reservations(ReservationQuery, const ReadContext&, PageDone<ReservationPage>) override {}
  void locations(LocationQuery query, const ReadContext&, PageDone<LocationPage> done) override {
    ++asked;
    after = query.after;
    waiting_.push_back(std::move(done));
  }

  // Answers the oldest question.
  void answer(absl::StatusOr<LocationPage> page) {
    ASSERT_FALSE(waiting_.empty());
    PageDone<LocationPage> done = std::move(waiting_.front());
    waiting_.pop_front();
    done(std::move(page));
  }

  int asked = 0;
  std::string after;  // of the newest question

 private:
  std::deque<PageDone<LocationPage>> waiting_;
};

// What came of one call.
struct Told {
  int times = 0;
  absl::Status status;
  std::shared_ptr<const LocationDirectory::Snapshot> list;

  [[nodiscard]] std::vector<std::string> ids() const {
    return list ? list->ids : std::vector<std::string>{};
  }
};

class LocationDirectoryTest : public ::testing::Test {
 protected:
  LocationDirectoryTest() {
    const auto now = clock_.now();
    database_clock_.measured(now, kStart, now);  // known exactly
    identity_.primary_says(kIncarnation);
  }

  std::shared_ptr<Told> ask(const domain::Requirement& requirement,
                            const ReadContext& context = {}) {
    auto told = std::make_shared<Told>();
    directory_.get(
        requirement, context,
        [told](absl::Status status, std::shared_ptr<const LocationDirectory::Snapshot> list) {
          ++told->times;
          told->status = std::move(status);
          told->list = std::move(list);
        });
    return told;
  }

  [[nodiscard]] DatabaseTime database_now() const {
    return kStart + std::chrono::duration_cast<std::chrono::microseconds>(clock_.now() - start_);
  }
  // True through now.
  [[nodiscard]] LocationPage page(const std::vector<std::string>& ids, bool more = false) const {
    LocationPage page{
        .locations = {}, .more = more, .true_through = database_now(), .incarnation = kIncarnation};
    for (const std::string& id : ids) page.locations.push_back({.id = id});
    return page;
  }

  support::ManualClock clock_;
  const domain::LocalTime start_ = clock_.now();
  support::ManualTimers timers_{clock_};
  clock::DatabaseClock database_clock_{clock_};
  feed::LedgerIdentity identity_;
  HeldCatalogue database_;
  CataloguePath catalogue_{{{.database = &database_}}, clock_, database_clock_, identity_};
  LocationDirectory directory_{catalogue_, timers_, database_clock_, identity_};
};

const domain::Requirement kWithinASecond{.max_age = seconds(1)};
const domain::Requirement kFullyConsistent{.fully_consistent = true};

TEST_F(LocationDirectoryTest, a_list_answers_whoever_it_is_fresh_enough_for) {
  const auto first = ask(kWithinASecond);
  database_.answer(page({"LON", "PAR"}));
  EXPECT_THAT(first->ids(), ElementsAre("LON", "PAR"));
  EXPECT_EQ(first->list->incarnation, kIncarnation);
  EXPECT_EQ(first->list->layer, "primary");

  clock_.advance(milliseconds(900));
  EXPECT_EQ(ask(kWithinASecond)->list, first->list);
  EXPECT_EQ(database_.asked, 1);
  clock_.advance(milliseconds(200));
  EXPECT_EQ(ask(kWithinASecond)->times, 0);
  EXPECT_EQ(database_.asked, 2);
}

TEST_F(LocationDirectoryTest, what_a_refresh_brings_answers_all_whose_bound_it_meets) {
  std::vector<std::shared_ptr<Told>> callers;
  for (int i = 0; i < 100; ++i) callers.push_back(ask(kWithinASecond));
  EXPECT_EQ(database_.asked, 1);
  database_.answer(page({"LON"}));
  EXPECT_EQ(database_.asked, 1);
  for (const auto& caller : callers) {
    EXPECT_EQ(caller->times, 1);
    EXPECT_THAT(caller->ids(), ElementsAre("LON"));
  }
}

// The interleaving: a refresh is sent, a location is created, a caller asks for what is true now,
// the refresh comes back.
TEST_F(LocationDirectoryTest, full_consistency_never_joins_a_refresh_that_was_sent_before) {
  const auto before = ask(kFullyConsistent);
  std::vector<std::shared_ptr<Told>> after;
  for (int i = 0; i < 100; ++i) after.push_back(ask(kFullyConsistent));
  EXPECT_EQ(database_.asked, 1);

  database_.answer(page({"LON"}));
  EXPECT_THAT(before->ids(), ElementsAre("LON"));
  for (const auto& caller : after) EXPECT_EQ(caller->times, 0);
  EXPECT_EQ(database_.asked, 2);

  database_.answer(page({"LON", "PAR"}));
  for (const auto& caller : after) {
    EXPECT_EQ(caller->times, 1);
    EXPECT_THAT(caller->ids(), ElementsAre("LON", "PAR"));
  }
  EXPECT_EQ(database_.asked, 2);
}

TEST_F(LocationDirectoryTest, those_for_whom_a_refresh_comes_too_late_share_the_next) {
  const LocationPage early = page({"LON"});
  const auto first = ask(kWithinASecond);
  const auto second = ask(kWithinASecond);
  const auto third = ask(kWithinASecond);
  clock_.advance(seconds(2));
  database_.answer(early);
  EXPECT_TRUE(absl::IsUnavailable(first->status)) << first->status;
  EXPECT_EQ(second->times, 0);
  EXPECT_EQ(database_.asked, 2);

  database_.answer(page({"LON", "PAR"}));
  EXPECT_THAT(second->ids(), ElementsAre("LON", "PAR"));
  EXPECT_THAT(third->ids(), ElementsAre("LON", "PAR"));
  EXPECT_EQ(database_.asked, 2);
}

TEST_F(LocationDirectoryTest, a_failure_is_told_to_those_who_waited_for_it_and_nobody_else) {
  const auto first = ask(kWithinASecond);
  const auto second = ask(kWithinASecond);
  database_.answer(absl::UnavailableError("connection refused"));
  EXPECT_THAT(std::string(first->status.message()), HasSubstr("connection refused"));
  EXPECT_EQ(first->list, nullptr);
  EXPECT_EQ(second->times, 0);
  database_.answer(page({"LON"}));
  EXPECT_THAT(second->ids(), ElementsAre("LON"));
}

TEST_F(LocationDirectoryTest, nobody_waits_for_what_another_requires) {
  const auto consistent = ask(kFullyConsistent);
  const auto bounded = ask(kWithinASecond);
  EXPECT_EQ(database_.asked, 2);
  database_.answer(absl::UnavailableError("no primary"));
  EXPECT_EQ(consistent->times, 1);
  EXPECT_EQ(bounded->times, 0);
  database_.answer(page({"LON"}));
  EXPECT_THAT(bounded->ids(), ElementsAre("LON"));
}

TEST_F(LocationDirectoryTest, everyone_is_answered_by_the_deadline) {
  const auto patient = ask(kFullyConsistent);
  const ReadContext soon{.deadline = clock_.now() + milliseconds(10)};
  const auto waits = ask(kFullyConsistent, soon);
  const auto joined = ask(kWithinASecond, soon);
  clock_.advance(milliseconds(10));
  timers_.run_due();
  EXPECT_TRUE(absl::IsDeadlineExceeded(waits->status)) << waits->status;
  EXPECT_TRUE(absl::IsDeadlineExceeded(joined->status)) << joined->status;
  EXPECT_EQ(patient->times, 0);

  database_.answer(page({"LON"}));
  EXPECT_THAT(patient->ids(), ElementsAre("LON"));
  database_.answer(page({"LON"}));
  EXPECT_EQ(waits->times, 1);
  EXPECT_EQ(joined->times, 1);
  EXPECT_EQ(database_.asked, 2);  // nobody was left to ask again for
  EXPECT_EQ(timers_.armed(), 0U);
}

TEST_F(LocationDirectoryTest, nothing_is_asked_for_callers_that_have_gone) {
  const auto first = ask(kFullyConsistent);
  std::atomic<bool> cancelled{false};
  const auto gone = ask(kFullyConsistent, {.cancelled = &cancelled});
  cancelled = true;
  database_.answer(page({"LON"}));
  EXPECT_EQ(database_.asked, 1);
  EXPECT_EQ(gone->times, 1);
  EXPECT_TRUE(absl::IsCancelled(gone->status)) << gone->status;
}

TEST_F(LocationDirectoryTest, what_is_old_is_better_than_nothing_for_those_who_said_so) {
  const auto first = ask(kWithinASecond);
  database_.answer(page({"LON"}));
  clock_.advance(seconds(5));
  const auto stale = ask({.max_age = seconds(1), .allow_stale = true});
  database_.answer(absl::UnavailableError("connection refused"));
  EXPECT_TRUE(stale->status.ok()) << stale->status;
  EXPECT_EQ(stale->list, first->list);
}

TEST_F(LocationDirectoryTest, a_long_list_is_as_old_as_its_oldest_page) {
  const auto told = ask(kWithinASecond);
  const DatabaseTime oldest = database_now();
  database_.answer(page({"LON", "PAR"}, true));
  EXPECT_EQ(database_.after, "PAR");
  clock_.advance(milliseconds(10));
  database_.answer(page({"ROM"}));
  EXPECT_THAT(told->ids(), ElementsAre("LON", "PAR", "ROM"));
  EXPECT_EQ(told->list->true_through, oldest);
}

TEST_F(LocationDirectoryTest, pages_of_two_histories_are_no_list) {
  const auto told = ask(kWithinASecond);
  database_.answer(page({"LON", "PAR"}, true));
  identity_.primary_says(kIncarnation + 1);
  LocationPage other = page({"ROM"});
  other.incarnation = kIncarnation + 1;
  database_.answer(other);
  EXPECT_TRUE(absl::IsUnavailable(told->status)) << told->status;
  EXPECT_EQ(told->list, nullptr);
}

// After a restore the database's clock may read less than before.
TEST_F(LocationDirectoryTest, a_list_of_another_history_is_replaced_whatever_its_date) {
  ask(kWithinASecond);
  database_.answer(page({"LON"}));
  identity_.primary_says(kIncarnation + 1);
  EXPECT_EQ(ask(kWithinASecond)->times, 0);
  LocationPage restored = page({"PAR"});
  restored.incarnation = kIncarnation + 1;
  restored.true_through -= milliseconds(500);
  database_.answer(restored);
  EXPECT_THAT(ask(kWithinASecond)->ids(), ElementsAre("PAR"));
  EXPECT_EQ(database_.asked, 2);
}

// It outlives its calls, and no more than that.
TEST_F(LocationDirectoryTest, whoever_is_told_last_may_end_it) {
  auto directory =
      std::make_unique<LocationDirectory>(catalogue_, timers_, database_clock_, identity_);
  int told = 0;
  directory->get(
      kWithinASecond, {},
      [&](const absl::Status&, const std::shared_ptr<const LocationDirectory::Snapshot>&) {
        ++told;
        directory.reset();
      });
  database_.answer(page({"LON"}));
  EXPECT_EQ(told, 1);
  EXPECT_EQ(directory, nullptr);
}

}  // namespace
}  // namespace stock::layers
