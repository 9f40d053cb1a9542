// Which database answers for the past.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "stock/layers/catalogue_path.h"
#include "support/fake_layer.h"
#include "support/manual_clock.h"

namespace stock::layers {
namespace {

using domain::DatabaseTime;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr domain::Incarnation kIncarnation = 7;
constexpr DatabaseTime kNow{seconds(1000)};

// Says at once what it is told to say.
class SayingCatalogue final : public Catalogue {
 public:
  explicit SayingCatalogue(std::string name) : name_(std::move(name)) {}
  [[nodiscard]] std::string_view name() const override { return name_; }
  void levels(LevelQuery, const ReadContext&, PageDone<LevelPage>) override {}
  void movements(MovementQuery, const ReadContext&, PageDone<MovementPage>) override {}
  void locations(LocationQuery, const ReadContext&, PageDone<LocationPage>) override {}
  void reservations(ReservationQuery, const ReadContext&, PageDone<ReservationPage>) override {}
  void past(PastQuery, const ReadContext&, PageDone<PastPage> done) override {
    ++asked;
    done(says);
  }

  int asked = 0;
  absl::StatusOr<PastPage> says = absl::UnavailableError("down");

 private:
  const std::string name_;
};

PastPage page(DatabaseTime true_through, bool found,
              domain::Incarnation incarnation = kIncarnation) {
  PastPage page{.levels = {PastLevel{.found = found}},
                .true_through = true_through,
                .incarnation = incarnation};
  return page;
}

class PastTest : public ::testing::Test {
 protected:
  PastTest() {
    const auto now = clock_.now();
    database_clock_.measured(now, kNow, now);  // known exactly
    identity_.primary_says(kIncarnation);
  }

  // Who answered, or why nobody did.
  std::string ask(const PastQuery& query) {
    std::string told;
    trail_.clear();
    path_.past(query, {}, [&](const Listing<PastPage>& listing) {
      told = listing.page.ok() ? std::string(listing.layer)
                               : std::string(listing.page.status().ToString());
      for (const domain::Visit& visit : listing.trail) trail_.emplace_back(visit.layer);
    });
    return told;
  }
  std::string at(DatabaseTime time) { return ask({.keys = {{"a", "b"}}, .at = time}); }
  std::string version() { return ask({.keys = {{"a", "b"}}, .at = {}, .version = 3}); }

  support::ManualClock clock_;
  clock::DatabaseClock database_clock_{clock_};
  feed::LedgerIdentity identity_;
  SayingCatalogue replica_{"replica"};
  SayingCatalogue primary_{"primary"};
  CataloguePath path_{
      {{.database = &replica_}, {.database = &primary_}}, clock_, database_clock_, identity_};
  std::vector<std::string> trail_;
};

TEST_F(PastTest, a_replica_answers_for_instants_that_it_is_true_through) {
  replica_.says = page(kNow - seconds(2), true);
  primary_.says = page(kNow, true);
  EXPECT_EQ(at(kNow - seconds(2)), "replica");
  EXPECT_THAT(trail_, ElementsAre("replica"));
  EXPECT_EQ(at(kNow - seconds(1)), "primary");
  EXPECT_THAT(trail_, ElementsAre("replica", "primary"));
  EXPECT_EQ(at(DatabaseTime{}), "replica") << "however long ago";
}

TEST_F(PastTest, a_replica_answers_for_versions_that_it_has) {
  replica_.says = page(kNow - seconds(2), true);
  EXPECT_EQ(version(), "replica");
  replica_.says = page(kNow - seconds(2), false);
  primary_.says = page(kNow, true);
  EXPECT_EQ(version(), "primary");
}

TEST_F(PastTest, a_database_that_keeps_failing_is_left_alone_as_its_reads_by_key_are) {
  support::FakeLayer by_key("replica");
  Breaker breaker(by_key, clock_, {.failures = 2, .open_for = seconds(1)});
  const CataloguePath path({{.database = &replica_, .breaker = &breaker}, {.database = &primary_}},
                           clock_, database_clock_, identity_);
  primary_.says = page(kNow, true);
  std::vector<domain::Visit> trail;
  const auto ask_path = [&] {
    path.past({.keys = {{"a", "b"}}, .at = kNow}, {}, [&](const Listing<PastPage>& listing) {
      EXPECT_EQ(listing.layer, "primary");
      trail = listing.trail;
    });
  };
  for (int i = 0; i < 3; ++i) ask_path();
  EXPECT_EQ(replica_.asked, 2);
  ASSERT_EQ(trail.size(), 2U);
  EXPECT_EQ(trail[0].count(domain::Outcome::kBreakerOpen), 1);
  EXPECT_EQ(trail[0].detail, "not asked, it failed 2 times in a row: down");
  // One state for both: what works by list is asked by key again, and the other way round.
  clock_.advance(seconds(1));
  replica_.says = page(kNow - seconds(2), true);
  ask_path();
  EXPECT_EQ(replica_.asked, 3);
  EXPECT_TRUE(breaker.closed());
}

TEST_F(PastTest, what_the_primary_says_is_final) {
  replica_.says = page(kNow - seconds(2), false);
  primary_.says = page(kNow, false);
  EXPECT_EQ(version(), "primary");
  EXPECT_EQ(at(kNow + seconds(1)), "primary");
}

TEST_F(PastTest, nobody_guesses_when_the_primary_is_down) {
  replica_.says = page(kNow - seconds(2), true);
  EXPECT_EQ(at(kNow - seconds(3)), "replica");
  EXPECT_THAT(at(kNow - seconds(1)), HasSubstr("the primary cannot be asked"));
  replica_.says = page(kNow - seconds(2), true, kIncarnation + 1);
  EXPECT_THAT(at(kNow - seconds(3)), HasSubstr("UNAVAILABLE"));
}

}  // namespace
}  // namespace stock::layers
