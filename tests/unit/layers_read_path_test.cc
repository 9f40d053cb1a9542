#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stock/layers/read_path.h"
#include "support/fake_layer.h"
#include "support/manual_clock.h"
#include "support/recorded.h"

namespace stock::layers {
namespace {

using domain::DatabaseTime;
using domain::Key;
using domain::Outcome;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

constexpr domain::Incarnation kIncarnation = 7;
const Key kA{"A", "main"};
const Key kB{"B", "main"};

class Counted final : public ReadObserver {
 public:
  void visited(std::size_t stage, const domain::Visit& visit) override {
    for (std::size_t i = 0; i < domain::kOutcomes; ++i) {
      keys[{stage, static_cast<Outcome>(i)}] += visit.keys[i];
    }
  }
  void answered(std::size_t stage, microseconds age, std::int64_t levels) override {
    answers[stage] += static_cast<int>(levels);
    ages.emplace_back(age, levels);
  }
  void judged(std::size_t stage, Judgement judgement, std::int64_t copies) override {
    judgements[{stage, judgement}] += static_cast<int>(copies);
  }
  std::map<std::pair<std::size_t, Outcome>, int> keys;
  std::map<std::size_t, int> answers;
  std::vector<std::pair<microseconds, std::int64_t>> ages;  // as they were told
  std::map<std::pair<std::size_t, Judgement>, int> judgements;
};

class TestRead final : public Read {
 public:
  void finished() override { ++finishes; }
  int finishes = 0;
};

class ReadPathTest : public ::testing::Test {
 protected:
  ReadPathTest() {
    // The database's clock is known exactly: it reads 1,000 s now.
    const auto now = clock_.now();
    database_clock_.measured(now, kStart, now);
    identity_.primary_says(kIncarnation);
  }

  // A reading of `version` that was last known to be true `age` ago.
  domain::Reading reading(domain::Version version, milliseconds age,
                          domain::Incarnation incarnation = kIncarnation) {
    return {.exists = true,
            .version = version,
            .counts = {.on_hand = version},
            .as_of = {},
            .true_through = kStart - age,
            .incarnation = incarnation};
  }
  void ask(TestRead& read, std::vector<Key> keys, domain::Requirement requirement) {
    read.keys.assign(keys.begin(), keys.end());
    read.requirement = requirement;
    path_.start(read);
  }
  static std::vector<std::string> outcomes(const Read& read) {
    std::vector<std::string> words;
    for (const domain::Visit& visit : read.trail) {
      for (std::size_t i = 0; i < domain::kOutcomes; ++i) {
        if (visit.keys[i] == 0) continue;
        words.push_back(std::string(visit.layer) + " " +
                        std::string(domain::outcome_name(static_cast<Outcome>(i))));
      }
    }
    return words;
  }

  static constexpr DatabaseTime kStart{seconds(1000)};
  support::ManualClock clock_;
  clock::DatabaseClock database_clock_{clock_};
  feed::LedgerIdentity identity_;
  feed::View view_{0};  // no feed: copies have their own date
  feed::Attention attention_;
  support::FakeLayer memory_{"memory"};
  support::FakeLayer redis_{"redis"};
  support::FakeLayer primary_{"primary"};
  Counted counted_;
  ReadPath path_{{{.layer = &memory_, .fill = &memory_},
                  {.layer = &redis_, .fill = &redis_},
                  {.layer = &primary_, .authoritative = true}},
                 clock_,
                 database_clock_,
                 identity_,
                 view_,
                 attention_,
                 counted_};
};

TEST_F(ReadPathTest, the_nearest_layer_that_meets_the_bound_answers) {
  memory_.says(kA, reading(3, milliseconds(10)));
  TestRead read;
  ask(read, {kA}, {.max_age = seconds(1)});
  EXPECT_EQ(read.finishes, 1);
  EXPECT_TRUE(read.status.ok());
  EXPECT_EQ(read.readings[0].version, 3);
  EXPECT_EQ(read.readings[0].layer, "memory");
  EXPECT_GE(read.oldest->age, milliseconds(10));
  EXPECT_THAT(outcomes(read), ElementsAre("memory hit"));
  EXPECT_THAT(redis_.reads(), IsEmpty());
  EXPECT_EQ(counted_.answers[0], 1);
}

TEST_F(ReadPathTest, every_level_of_a_read_is_counted_with_its_own_age_and_layer) {
  const Key c{"C", "main"};
  const Key d{"D", "main"};
  memory_.says(kA, reading(1, milliseconds(10)));
  memory_.says(kB, reading(2, milliseconds(10)));
  memory_.says(c, reading(3, milliseconds(20)));
  redis_.says(d, reading(4, milliseconds(20)));
  TestRead read;
  ask(read, {kA, kB, c, d}, {.max_age = seconds(1)});
  ASSERT_TRUE(read.status.ok()) << read.status;
  EXPECT_EQ(counted_.answers, (std::map<std::size_t, int>{{0, 3}, {1, 1}}));
  EXPECT_THAT(counted_.ages, ElementsAre(Pair(milliseconds(10), 2), Pair(milliseconds(20), 1),
                                         Pair(milliseconds(20), 1)));
  EXPECT_EQ((counted_.judgements[{0, Judgement::kOwnStamp}]), 3);
  EXPECT_EQ((counted_.judgements[{1, Judgement::kOwnStamp}]), 1);
  ASSERT_EQ(read.ages.size(), 4U);
  EXPECT_EQ(read.ages[0].age, milliseconds(10));
  EXPECT_EQ(read.ages[3].age, milliseconds(20));
}

TEST_F(ReadPathTest, a_copy_that_is_too_old_is_read_past_and_the_trail_says_so) {
  memory_.says(kA, reading(1, seconds(9)));
  redis_.says(kA, reading(2, seconds(6)));
  primary_.says(kA, reading(3, milliseconds(0)));
  TestRead read;
  ask(read, {kA}, {.max_age = seconds(5)});
  EXPECT_EQ(read.readings[0].version, 3);
  EXPECT_THAT(outcomes(read), ElementsAre("memory too_old", "redis too_old", "primary hit"));
}

TEST_F(ReadPathTest, uncertainty_counts_against_the_bound) {
  clock::DatabaseClock vague(clock_);
  // The answer took two seconds: the clock is known to within one.
  vague.measured(clock_.now() - seconds(2), kStart - seconds(1), clock_.now());
  const ReadPath path({{.layer = &memory_}}, clock_, vague, identity_, view_, attention_, counted_);
  memory_.says(kA, reading(1, milliseconds(4500)));
  TestRead read;
  read.keys = {kA};
  read.requirement = {.max_age = seconds(5)};
  path.start(read);
  EXPECT_TRUE(absl::IsUnavailable(read.status));
}

TEST_F(ReadPathTest, what_only_a_layer_that_is_too_busy_could_answer_is_to_be_tried_again) {
  memory_.says(kA, reading(1, seconds(9)));
  primary_.fails(Outcome::kRefused, "too many reads wait");
  TestRead stale;
  ask(stale, {kA}, {.max_age = seconds(5)});
  EXPECT_TRUE(absl::IsResourceExhausted(stale.status)) << stale.status;
  EXPECT_THAT(outcomes(stale), ElementsAre("memory too_old", "redis miss", "primary refused"));
  TestRead missing;
  ask(missing, {kA, kB}, {.max_age = seconds(5)});
  EXPECT_TRUE(absl::IsResourceExhausted(missing.status)) << missing.status;
  TestRead known;
  ask(known, {kA}, {.max_age = seconds(5), .allow_stale = true});
  EXPECT_TRUE(known.status.ok()) << known.status;
}

TEST_F(ReadPathTest, a_fully_consistent_read_asks_the_primary_alone) {
  memory_.says(kA, reading(1, milliseconds(0)));
  primary_.says(kA, reading(2, milliseconds(0)));
  TestRead read;
  ask(read, {kA}, {.fully_consistent = true});
  EXPECT_EQ(read.readings[0].version, 2);
  EXPECT_THAT(outcomes(read), ElementsAre("memory bypassed", "redis bypassed", "primary hit"));
  EXPECT_THAT(memory_.reads(), IsEmpty());
}

TEST_F(ReadPathTest, only_the_keys_that_are_missing_go_on) {
  memory_.says(kA, reading(1, milliseconds(0)));
  primary_.says(kB, reading(2, milliseconds(0)));
  TestRead read;
  ask(read, {kA, kB}, {.max_age = seconds(5)});
  EXPECT_THAT(primary_.reads(), ElementsAre(ElementsAre(kB)));
  EXPECT_EQ(read.readings[0].layer, "memory");
  EXPECT_EQ(read.readings[1].layer, "primary");
}

TEST_F(ReadPathTest, what_a_slower_layer_knew_is_offered_to_the_faster_ones_with_its_own_date) {
  primary_.says(kA, reading(2, milliseconds(3)));
  TestRead read;
  ask(read, {kA}, {.max_age = seconds(5)});
  for (const support::FakeLayer* layer : {&memory_, &redis_}) {
    ASSERT_THAT(layer->offers(), SizeIs(1));
    EXPECT_EQ(layer->offers().at(kA).true_through, kStart - milliseconds(3));
  }
  EXPECT_THAT(primary_.offers(), IsEmpty());
}

TEST_F(ReadPathTest, a_bound_that_cannot_be_met_is_an_error_that_names_the_best_one) {
  primary_.says(kA, reading(2, seconds(8)));
  redis_.says(kA, reading(1, seconds(9)));
  TestRead read;
  ask(read, {kA}, {.max_age = seconds(5)});
  EXPECT_TRUE(absl::IsUnavailable(read.status));
  EXPECT_THAT(std::string(read.status.message()), HasSubstr("best bound"));
  ASSERT_TRUE(read.oldest);
  EXPECT_GE(read.oldest->worst(), seconds(8));
  EXPECT_LT(read.oldest->worst(), seconds(9));
}

TEST_F(ReadPathTest, allow_stale_answers_with_the_true_age) {
  redis_.says(kA, reading(1, seconds(60)));
  primary_.fails(Outcome::kError, "connection refused");
  TestRead read;
  ask(read, {kA}, {.max_age = seconds(5), .allow_stale = true});
  EXPECT_TRUE(read.status.ok());
  EXPECT_TRUE(read.bound_missed);
  EXPECT_EQ(read.readings[0].layer, "redis");
  EXPECT_GE(read.oldest->age, seconds(60));
}

TEST_F(ReadPathTest, when_nobody_can_answer_the_trail_says_why) {
  redis_.fails(Outcome::kTimeout, "redis did not answer in time");
  primary_.fails(Outcome::kError, "connection refused");
  TestRead read;
  ask(read, {kA}, {.max_age = seconds(5)});
  EXPECT_TRUE(absl::IsUnavailable(read.status));
  EXPECT_FALSE(read.oldest);
  EXPECT_THAT(outcomes(read), ElementsAre("memory miss", "redis timeout", "primary error"));
  EXPECT_EQ(read.trail[2].detail, "connection refused");
}

TEST_F(ReadPathTest, a_copy_of_another_incarnation_is_void) {
  memory_.says(kA, reading(9, milliseconds(0), kIncarnation + 1));
  primary_.says(kA, reading(2, milliseconds(0)));
  TestRead read;
  ask(read, {kA}, {.max_age = seconds(5), .allow_stale = true});
  EXPECT_EQ(read.readings[0].version, 2);
  EXPECT_THAT(outcomes(read), ElementsAre("memory superseded", "redis miss", "primary hit"));
}

TEST_F(ReadPathTest, without_knowing_the_databases_clock_nothing_has_an_age) {
  const clock::DatabaseClock unknown(clock_);
  const ReadPath path({{.layer = &memory_}}, clock_, unknown, identity_, view_, attention_,
                      counted_);
  memory_.says(kA, reading(1, milliseconds(0)));
  TestRead read;
  read.keys = {kA};
  read.requirement = {.max_age = seconds(5), .allow_stale = true};
  path.start(read);
  EXPECT_TRUE(absl::IsUnavailable(read.status));
}

// The interleaving: memory answers A just within the bound, B takes the primary a second, and by
// then A is too old. The bound holds at the moment of answering.
TEST_F(ReadPathTest, an_answer_that_aged_while_others_were_fetched_is_fetched_again) {
  memory_.says(kA, reading(1, milliseconds(4900)));
  primary_.hold();
  primary_.says(kA, reading(2, milliseconds(-1000)));
  primary_.says(kB, reading(3, milliseconds(-1000)));
  TestRead read;
  ask(read, {kA, kB}, {.max_age = seconds(5)});
  clock_.advance(seconds(1));
  primary_.release();
  EXPECT_EQ(read.finishes, 0);
  primary_.release();
  EXPECT_EQ(read.finishes, 1);
  EXPECT_TRUE(read.status.ok());
  EXPECT_EQ(read.readings[0].version, 2);
  EXPECT_THAT(primary_.reads(), ElementsAre(ElementsAre(kB), ElementsAre(kA)));
}

TEST_F(ReadPathTest, nobody_is_asked_for_a_caller_that_has_gone) {
  std::atomic<bool> cancelled{false};
  redis_.hold();
  TestRead read;
  read.context.cancelled = &cancelled;
  ask(read, {kA}, {.max_age = seconds(5)});
  cancelled = true;
  redis_.release();
  EXPECT_EQ(read.finishes, 1);
  EXPECT_FALSE(read.status.ok());
  EXPECT_THAT(primary_.reads(), IsEmpty());
}

TEST_F(ReadPathTest, absence_is_an_answer_like_any_other) {
  domain::Reading gone = reading(4, milliseconds(0));
  gone.exists = false;
  gone.counts = {};
  primary_.says(kA, gone);
  TestRead read;
  ask(read, {kA}, {.max_age = seconds(5)});
  EXPECT_TRUE(read.status.ok());
  EXPECT_FALSE(read.readings[0].exists);
  EXPECT_EQ(read.readings[0].version, 4);
  EXPECT_THAT(memory_.offers(), SizeIs(1));
}

// With a feed: copies are judged by it. The watermark is 20 ms old and has seen heartbeat 200.
class FedReadPathTest : public ReadPathTest {
 protected:
  FedReadPathTest() {
    fed_.begin();
    fed_.open(kIncarnation, 10);
    publish("100:110:105");
  }
  void publish(const char* snapshot) {
    auto parsed = std::make_shared<const domain::Snapshot>(*domain::Snapshot::parse(snapshot));
    fed_.publish({.incarnation = kIncarnation,
                  .stamp = kStart - milliseconds(25),
                  .confirmed_at = clock_.now() - milliseconds(20),
                  .round_trip = milliseconds(2),
                  .heartbeat = 200,
                  .xmin = parsed->xmin(),
                  .xmax = parsed->xmax()},
                 parsed);
  }
  domain::Reading copy(domain::Version version, milliseconds age, domain::HeartbeatNumber n) {
    domain::Reading copy = reading(version, age);
    copy.heartbeat = n;
    return copy;
  }
  void ask(TestRead& read, domain::Requirement requirement) {
    read.keys.assign({kA});
    read.requirement = requirement;
    fed_path_.start(read);
  }
  // A primary that answers as of now, with what its snapshot shows.
  void primary_says(domain::Version version, const char* snapshot) {
    primary_.says(kA, reading(version, milliseconds(0)),
                  std::make_shared<const domain::Snapshot>(*domain::Snapshot::parse(snapshot)));
  }

  feed::View fed_{64};
  ReadPath fed_path_{{{.layer = &memory_, .fill = &memory_, .judged = true},
                      {.layer = &redis_, .fill = &redis_},
                      {.layer = &primary_, .authoritative = true}},
                     clock_,
                     database_clock_,
                     identity_,
                     fed_,
                     attention_,
                     counted_};
};

TEST_F(FedReadPathTest, an_old_copy_that_has_not_moved_is_as_old_as_the_watermark) {
  redis_.says(kA, copy(3, seconds(300), 150));
  TestRead read;
  ask(read, {.max_age = milliseconds(30)});
  ASSERT_TRUE(read.status.ok()) << read.status;
  EXPECT_EQ(read.readings[0].true_through, kStart - milliseconds(25));
  // Counted from the local instant before the poll, by no other clock.
  EXPECT_EQ(read.oldest->age, milliseconds(19));
  EXPECT_EQ(read.oldest->uncertainty, milliseconds(1));
  EXPECT_EQ((counted_.judgements[{1, Judgement::kCurrent}]), 1);
  EXPECT_EQ(memory_.offered(kA)->heartbeat, 150);
}

TEST_F(FedReadPathTest, a_copy_that_has_moved_is_read_past_however_young) {
  support::record(fed_, kA, 4, 202);
  redis_.says(kA, copy(3, milliseconds(1), 199));
  primary_says(4, "120:120:");
  TestRead read;
  ask(read, {.max_age = seconds(10)});
  ASSERT_TRUE(read.status.ok());
  EXPECT_EQ(read.readings[0].version, 4);
  EXPECT_THAT(outcomes(read), ElementsAre("memory miss", "redis superseded", "primary hit"));
}

TEST_F(FedReadPathTest, each_of_many_copies_is_judged_by_the_moves_of_its_own_key) {
  feed::View many(1 << 16);
  many.begin();
  many.open(kIncarnation, 10);
  const ReadPath path({{.layer = &memory_, .fill = &memory_, .judged = true},
                       {.layer = &redis_, .fill = &redis_},
                       {.layer = &primary_, .authoritative = true}},
                      clock_, database_clock_, identity_, many, attention_, counted_);
  TestRead read;
  read.requirement = {.max_age = seconds(10)};
  for (int i = 0; i < 100; ++i) {
    const Key& key = read.keys.emplace_back(Key{"K" + std::to_string(i), "main"});
    primary_.says(key, reading(9, milliseconds(0)));
    if (i % 5 == 0) continue;  // redis has none
    domain::Reading held = copy(3, seconds(300), 199);
    if (i % 5 == 1) support::record(many, key, 4, 202);
    if (i % 5 == 2) held.incarnation = kIncarnation - 1;
    redis_.says(key, held);
  }
  many.publish({.incarnation = kIncarnation,
                .stamp = kStart - milliseconds(25),
                .confirmed_at = clock_.now() - milliseconds(20),
                .round_trip = milliseconds(2),
                .heartbeat = 200},
               nullptr);
  path.start(read);
  ASSERT_TRUE(read.status.ok()) << read.status;
  for (std::size_t i = 0; i < 100; ++i) {
    const bool current = i % 5 > 2;
    EXPECT_EQ(read.readings[i].layer, current ? "redis" : "primary") << i;
    EXPECT_EQ(read.readings[i].version, current ? 3 : 9) << i;
    EXPECT_EQ(memory_.offered(read.keys[i])->version, current ? 3 : 9) << i;
  }
  EXPECT_EQ((counted_.judgements[{1, Judgement::kCurrent}]), 40);
  EXPECT_EQ((counted_.judgements[{1, Judgement::kSuperseded}]), 20);
  EXPECT_EQ((counted_.judgements[{1, Judgement::kVoid}]), 20);
  EXPECT_THAT(redis_.offers(), SizeIs(60));  // what the primary said
}

TEST_F(FedReadPathTest, a_superseded_copy_is_told_with_its_own_date_when_nobody_else_answers) {
  support::record(fed_, kA, 4, 202);
  redis_.says(kA, copy(3, seconds(2), 199));
  primary_.fails(Outcome::kError, "down");
  TestRead read;
  ask(read, {.max_age = seconds(10)});
  EXPECT_TRUE(absl::IsUnavailable(read.status));
  TestRead stale;
  ask(stale, {.max_age = seconds(10), .allow_stale = true});
  ASSERT_TRUE(stale.status.ok());
  EXPECT_TRUE(stale.bound_missed);
  EXPECT_EQ(stale.readings[0].true_through, kStart - seconds(2));
}

TEST_F(FedReadPathTest, a_copy_in_use_whose_heartbeat_is_old_is_written_again) {
  redis_.says(kA, copy(3, seconds(300), 99));
  TestRead read;
  ask(read, {.max_age = seconds(1)});
  ASSERT_TRUE(redis_.offered(kA));
  EXPECT_EQ(redis_.offered(kA)->heartbeat, 200);
  EXPECT_EQ(redis_.offered(kA)->true_through, kStart - milliseconds(25));
}

TEST_F(FedReadPathTest, a_copy_whose_heartbeat_is_young_is_not) {
  redis_.says(kA, copy(3, seconds(300), 150));
  TestRead read;
  ask(read, {.max_age = seconds(1)});
  EXPECT_FALSE(redis_.offered(kA));
}

TEST_F(FedReadPathTest, a_token_is_satisfied_by_what_the_watermark_shows) {
  redis_.says(kA, copy(3, seconds(300), 150));
  TestRead shown;
  ask(shown, {.at_least = domain::Transaction{kIncarnation, 101}});
  EXPECT_THAT(outcomes(shown), ElementsAre("memory miss", "redis hit"));
}

TEST_F(FedReadPathTest, what_the_watermark_does_not_show_is_asked_of_the_ledger) {
  redis_.says(kA, copy(3, seconds(300), 150));
  primary_says(4, "120:120:");
  TestRead read;
  ask(read, {.at_least = domain::Transaction{kIncarnation, 105}});
  ASSERT_TRUE(read.status.ok()) << read.status;
  EXPECT_EQ(read.readings[0].version, 4);
  EXPECT_THAT(outcomes(read), ElementsAre("memory miss", "redis too_old", "primary hit"));
}

// The interleaving: redis says version 3, dated by a watermark that does not show the write; then
// the next layer's statement shows it, and its date, that of a heartbeat, is from before the
// watermark.
TEST_F(FedReadPathTest, what_shows_the_write_is_the_answer_also_where_others_have_later_dates) {
  redis_.says(kA, copy(3, seconds(300), 150));
  primary_.says(kA, reading(4, milliseconds(90)),
                std::make_shared<const domain::Snapshot>(*domain::Snapshot::parse("120:120:")));
  TestRead read;
  ask(read, {.at_least = domain::Transaction{kIncarnation, 105}});
  ASSERT_TRUE(read.status.ok()) << read.status;
  EXPECT_EQ(read.readings[0].version, 4);
  EXPECT_EQ(read.readings[0].layer, "primary");
  EXPECT_EQ(read.readings[0].true_through, kStart - milliseconds(90));
  EXPECT_THAT(outcomes(read), ElementsAre("memory miss", "redis too_old", "primary hit"));
  EXPECT_EQ(memory_.offered(kA)->version, 4);
}

// The feed may catch up between the layer's judging and ours: what it had dated before that is not
// any fresher for it.
TEST_F(FedReadPathTest, a_watermark_that_comes_after_memory_was_asked_does_not_count) {
  domain::Reading held = copy(3, milliseconds(25), 150);
  held.confirmed_at = clock_.now() - milliseconds(20);
  memory_.says(kA, held);
  memory_.hold();
  primary_says(4, "120:120:");
  TestRead read;
  ask(read, {.at_least = domain::Transaction{kIncarnation, 105}});
  publish("120:120:");
  memory_.release();
  EXPECT_EQ(read.readings[0].version, 4);
}

TEST_F(FedReadPathTest, a_write_that_the_ledger_itself_does_not_show_is_none_of_its_past) {
  primary_says(4, "120:120:");
  TestRead read;
  ask(read, {.at_least = domain::Transaction{kIncarnation, 120}, .allow_stale = true});
  EXPECT_TRUE(absl::IsFailedPrecondition(read.status)) << read.status;
}

TEST_F(FedReadPathTest, a_token_of_another_incarnation_is_satisfied_by_nothing) {
  primary_says(4, "120:120:");
  redis_.says(kA, copy(3, seconds(1), 150));
  TestRead read;
  ask(read, {.at_least = domain::Transaction{kIncarnation + 1, 5}});
  EXPECT_TRUE(absl::IsUnavailable(read.status)) << read.status;
}

}  // namespace
}  // namespace stock::layers
