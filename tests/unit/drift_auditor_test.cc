#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "stock/drift/auditor.h"
#include "support/eventually.h"
#include "support/fake_history.h"
#include "support/manual_clock.h"

namespace stock::drift {
namespace {

using domain::DatabaseTime;
using domain::Key;
using domain::Outcome;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using support::eventually;
using ::testing::Contains;
using ::testing::Each;
using ::testing::Ge;
using ::testing::IsEmpty;

Key key_of(int n) { return {.sku = std::string("SKU-") + char('0' + n), .location = "berlin"}; }

// Holds copies, and says nothing of other keys. While it is silent it says nothing at all, and
// answers everything afterwards.
class Shelf final : public layers::Layer {
 public:
  ~Shelf() override { speak(); }

  [[nodiscard]] std::string_view name() const override { return "shelf"; }

  void put(const Key& key, domain::Version version, std::int64_t on_hand) {
    domain::Reading reading;
    reading.exists = true;
    reading.version = version;
    reading.counts.on_hand = on_hand;
    const std::lock_guard lock(mutex_);
    copies_[key] = reading;
  }
  void drop(const Key& key) {
    const std::lock_guard lock(mutex_);
    copies_.erase(key);
  }

  void be_silent() {
    const std::lock_guard lock(mutex_);
    silent_ = true;
  }
  void speak() {
    std::vector<Read> late;
    {
      const std::lock_guard lock(mutex_);
      silent_ = false;
      late.swap(waiting_);
    }
    for (Read& read : late) answer(std::move(read));
  }
  std::size_t waiting() {
    const std::lock_guard lock(mutex_);
    return waiting_.size();
  }
  std::map<Key, domain::Reading> copies() {
    const std::lock_guard lock(mutex_);
    return copies_;
  }
  std::set<Key> asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

  void read(std::span<const Key> keys, std::span<layers::Answer> answers,
            const layers::ReadContext& context, layers::Done done) override {
    Read read{keys, answers, context.cancelled, std::move(done)};
    {
      const std::lock_guard lock(mutex_);
      asked_.insert(keys.begin(), keys.end());
      if (silent_) return waiting_.push_back(std::move(read));
    }
    answer(std::move(read));
  }

 private:
  struct Read {
    std::span<const Key> keys;
    std::span<layers::Answer> answers;
    const std::atomic<bool>* cancelled;
    layers::Done done;
  };

  void answer(Read read) {
    {
      const std::lock_guard lock(mutex_);
      for (std::size_t i = 0; i < read.keys.size(); ++i) {
        const auto it = copies_.find(read.keys[i]);
        if (it != copies_.end()) read.answers[i] = {Outcome::kHit, it->second};
      }
    }
    // All of it is still there, however late.
    read.done(read.cancelled->load() ? "nobody waits any more" : "");
  }

  std::mutex mutex_;
  std::map<Key, domain::Reading> copies_;
  std::vector<Read> waiting_;
  std::set<Key> asked_;
  bool silent_ = false;
};

// Names the keys of a shelf, the last one first, with what is on it.
class Guide final : public layers::Walkable {
 public:
  explicit Guide(Shelf& shelf) : shelf_(shelf) {}
  ~Guide() override { speak(); }

  // Nothing: it answers.
  void fail(absl::Status why) {
    const std::lock_guard lock(mutex_);
    failure_ = std::move(why);
  }
  void be_silent() {
    const std::lock_guard lock(mutex_);
    silent_ = true;
  }
  void speak() {
    std::vector<absl::AnyInvocable<void()>> late;
    {
      const std::lock_guard lock(mutex_);
      silent_ = false;
      late.swap(waiting_);
    }
    for (auto& answer : late) answer();
  }
  // What was asked, as it was.
  std::vector<layers::WalkQuery> queries() {
    const std::lock_guard lock(mutex_);
    return queries_;
  }

  void walk(layers::WalkQuery query, const layers::ReadContext&,
            layers::PageDone<layers::LevelPage> done) override {
    absl::AnyInvocable<void()> answer;
    {
      const std::lock_guard lock(mutex_);
      queries_.push_back(query);
      answer = [page = page(query), done = std::move(done)]() mutable { done(std::move(page)); };
      if (silent_) return waiting_.push_back(std::move(answer));
    }
    answer();
  }

 private:
  absl::StatusOr<layers::LevelPage> page(const layers::WalkQuery& query) {  // with the mutex held
    if (!failure_.ok()) return failure_;
    layers::LevelPage page;
    const auto copies = shelf_.copies();
    for (auto it = copies.upper_bound(query.after); it != copies.end(); ++it) {
      if (std::ssize(page.keys) == query.limit) break;
      page.keys.insert(page.keys.begin(), it->first);
      page.readings.insert(page.readings.begin(), it->second);
    }
    return page;
  }

  Shelf& shelf_;
  std::mutex mutex_;  // guards the rest
  std::vector<layers::WalkQuery> queries_;
  std::vector<absl::AnyInvocable<void()>> waiting_;
  absl::Status failure_;
  bool silent_ = false;
};

class Recorder final : public Observer {
 public:
  std::function<void()> at_round_end;  // set before the auditor starts

  void examined(std::size_t layer, const Judgement& judgement) override {
    const std::lock_guard lock(mutex_);
    ++verdicts_[{layer, judgement.verdict}];
  }
  void detected(std::chrono::nanoseconds after) override {
    const std::lock_guard lock(mutex_);
    detected_.push_back(after);
  }
  void looked(Cause cause, std::size_t keys) override {
    const std::lock_guard lock(mutex_);
    looked_[cause] += keys;
  }
  void dropped(Cause cause, std::size_t keys) override {
    const std::lock_guard lock(mutex_);
    dropped_[cause] += keys;
  }
  void pass_finished(std::span<const LayerSummary> layers, const Pass& pass) override {
    const std::lock_guard lock(mutex_);
    ++passes_;
    (pass.idle ? idle_passes_ : serving_passes_)++;
    coverage_ = pass.coverage;
    layers_.assign(layers.begin(), layers.end());
  }
  void round_finished(std::chrono::nanoseconds) override {
    if (at_round_end) at_round_end();
    const std::lock_guard lock(mutex_);
    ++rounds_;
    in_round_.push_back(looked_[Cause::kRound] - before_round_);
    before_round_ = looked_[Cause::kRound];
  }
  void pass_failed(const absl::Status& why) override {
    const std::lock_guard lock(mutex_);
    failures_.insert(std::string(why.message()));
  }

  int count(std::size_t layer, Verdict verdict) {
    const std::lock_guard lock(mutex_);
    return verdicts_[{layer, verdict}];
  }
  int passes() {
    const std::lock_guard lock(mutex_);
    return passes_;
  }
  int idle_passes() {
    const std::lock_guard lock(mutex_);
    return idle_passes_;
  }
  int serving_passes() {
    const std::lock_guard lock(mutex_);
    return serving_passes_;
  }
  int rounds() {
    const std::lock_guard lock(mutex_);
    return rounds_;
  }
  double coverage() {
    const std::lock_guard lock(mutex_);
    return coverage_;
  }
  // Keys that were looked at in each round.
  std::vector<std::size_t> in_rounds() {
    const std::lock_guard lock(mutex_);
    return in_round_;
  }
  std::size_t looked_at(Cause cause) {
    const std::lock_guard lock(mutex_);
    return looked_[cause];
  }
  std::size_t left_out(Cause cause) {
    const std::lock_guard lock(mutex_);
    return dropped_[cause];
  }
  std::vector<std::chrono::nanoseconds> detections() {
    const std::lock_guard lock(mutex_);
    return detected_;
  }
  LayerSummary summary(std::size_t layer) {
    const std::lock_guard lock(mutex_);
    return layer < layers_.size() ? layers_[layer] : LayerSummary{};
  }
  std::set<std::string> failures() {
    const std::lock_guard lock(mutex_);
    return failures_;
  }

 private:
  std::mutex mutex_;
  std::map<std::pair<std::size_t, Verdict>, int> verdicts_;
  std::set<std::string> failures_;
  std::vector<LayerSummary> layers_;
  std::map<Cause, std::size_t> looked_;
  std::map<Cause, std::size_t> dropped_;
  std::vector<std::chrono::nanoseconds> detected_;
  int passes_ = 0;
  int idle_passes_ = 0;
  int serving_passes_ = 0;
  int rounds_ = 0;
  double coverage_ = 0;
  std::vector<std::size_t> in_round_;
  std::size_t before_round_ = 0;
};

// Ten keys, each in version 2 with 20 units since second 2; in version 1 they had 10. It is second
// 100.
class AuditorTest : public ::testing::Test {
 protected:
  AuditorTest() {
    for (int n = 0; n < 10; ++n) {
      for (const int version : {1, 2}) {
        history.commit(key_of(n), {.exists = true,
                                   .counts = {.on_hand = version * 10},
                                   .committed_at = DatabaseTime(seconds(version))});
      }
    }
    options.interval = milliseconds(1);
    options.keys_per_step = 3;
    options.patience = seconds(30);
  }

  void measure() { database_clock.measured(clock.now(), DatabaseTime(seconds(100)), clock.now()); }
  void start() {
    measure();
    auditor.emplace(options, std::vector<Witness>{{&first, false}, {&second, true}},
                    Auditor::Sources{.moved = moved, .read = sample}, history, database_clock,
                    clock, recorder);
  }
  // Long enough for all keys to be looked at.
  void await_round() {
    // The one under way may have begun before.
    const int rounds = recorder.rounds();
    ASSERT_TRUE(eventually([this] { return recorder.rounds(); }, Ge(rounds + 2)));
  }

  support::ManualClock clock;
  clock::DatabaseClock database_clock{clock};
  support::FakeHistory history;
  KeyInbox moved{1000};
  ReadSample sample{100, clock};
  Recorder recorder;
  Shelf first;
  Shelf second;
  Auditor::Options options;
  std::optional<Auditor> auditor;
};

TEST_F(AuditorTest, all_keys_are_looked_at_round_and_round) {
  start();
  await_round();
  EXPECT_EQ(first.asked().size(), 10u);
  history.commit(key_of(0), {.exists = true, .counts = {}, .committed_at = DatabaseTime()});
  history.commit({"A", "berlin"}, {.exists = true, .counts = {}, .committed_at = DatabaseTime()});
  await_round();
  EXPECT_THAT(first.asked(), Contains(Key{"A", "berlin"}));
}

// Also where witnesses are asked about the next keys before these are judged.
TEST_F(AuditorTest, a_round_looks_at_each_key_once) {
  start();
  await_round();
  EXPECT_THAT(recorder.in_rounds(), Each(10u));
}

TEST_F(AuditorTest, only_rounds_of_the_one_that_leads_count_and_they_leave_nothing_out) {
  std::atomic<bool> leads{false};
  options.leads = [&leads] { return leads.load(); };
  std::vector<std::size_t> examined;  // what all share, by the end of each round that counts
  recorder.at_round_end = [&] { examined.push_back(second.asked().size()); };
  start();
  ASSERT_TRUE(eventually([this] { return recorder.looked_at(Cause::kRound); }, Ge(25u)));
  EXPECT_EQ(recorder.rounds(), 0);
  EXPECT_EQ(recorder.coverage(), 0);
  leads = true;
  await_round();
  auditor.reset();
  EXPECT_THAT(examined, Each(10u));
}

TEST_F(AuditorTest, planted_lies_are_found_in_the_layer_that_tells_them) {
  for (int n = 0; n < 10; ++n) first.put(key_of(n), 2, 20);
  second.put(key_of(1), 2, 20);
  second.put(key_of(3), 1, 10);
  second.put(key_of(4), 2, 27);
  second.put(key_of(5), 9, 20);
  second.put(key_of(6), 0, 99);
  start();
  await_round();
  for (const Verdict lie :
       {Verdict::kStale, Verdict::kWrongCount, Verdict::kAhead, Verdict::kNeverTrue}) {
    EXPECT_GE(recorder.count(1, lie), 1) << verdict_name(lie);
    EXPECT_EQ(recorder.count(0, lie), 0) << verdict_name(lie);
  }
  EXPECT_GE(recorder.count(0, Verdict::kCurrent), 10);
  EXPECT_GE(recorder.count(1, Verdict::kAbsent), 1);
  const LayerSummary summary = recorder.summary(1);
  EXPECT_EQ(summary.divergent_keys, 4u);
  EXPECT_EQ(summary.max_units, 79);
  EXPECT_EQ(summary.max_versions, 7);
  EXPECT_GE(summary.max_age, seconds(97));
  EXPECT_LE(summary.max_age, seconds(98));
  EXPECT_EQ(recorder.summary(0).divergent_keys, 0u);
}

TEST_F(AuditorTest, a_divergence_is_followed_up_until_it_is_mended) {
  options.keys_per_step = 1;
  first.put(key_of(1), 1, 10);
  first.put(key_of(2), 1, 10);
  start();
  ASSERT_TRUE(eventually([this] { return recorder.summary(0).divergent_keys == 2; }));
  first.put(key_of(1), 2, 20);
  ASSERT_TRUE(eventually([this] { return recorder.summary(0).divergent_keys == 1; }));
  first.drop(key_of(2));
  ASSERT_TRUE(eventually([this] { return recorder.summary(0).divergent_keys == 0; }));
  EXPECT_EQ(recorder.summary(0).max_units, 0);
}

TEST_F(AuditorTest, not_more_keys_are_followed_up_than_allowed) {
  options.max_divergent_keys = 2;
  for (int n = 0; n < 10; ++n) first.put(key_of(n), 1, 10);
  start();
  await_round();
  EXPECT_EQ(recorder.summary(0).divergent_keys, 2u);
}

TEST_F(AuditorTest, a_witness_that_does_not_answer_is_unreachable_and_may_answer_later) {
  options.patience = milliseconds(5);
  for (int n = 0; n < 10; ++n) {
    first.put(key_of(n), 1, 10);
    second.put(key_of(n), 2, 20);
  }
  first.be_silent();
  start();
  await_round();
  EXPECT_GE(recorder.count(0, Verdict::kUnreachable), 10);
  EXPECT_EQ(recorder.count(0, Verdict::kStale), 0);
  EXPECT_GE(recorder.count(1, Verdict::kCurrent), 10);
  first.speak();
  ASSERT_TRUE(eventually([this] { return recorder.count(0, Verdict::kStale) > 0; }));
}

TEST_F(AuditorTest, a_witness_may_answer_after_the_auditor_is_gone) {
  first.be_silent();
  start();
  ASSERT_TRUE(eventually([this] { return first.waiting() > 0; }));
  const auto began = std::chrono::steady_clock::now();
  auditor.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - began, options.patience / 2);
  first.speak();
  EXPECT_EQ(recorder.count(1, Verdict::kAbsent), 0) << "a pass that was broken off tells nothing";
  EXPECT_THAT(recorder.failures(), IsEmpty());
}

TEST_F(AuditorTest, it_stops_in_the_middle_of_a_long_interval) {
  options.interval = std::chrono::hours(1);
  start();
  ASSERT_TRUE(eventually([this] { return recorder.passes() == 1; }));
  const auto began = std::chrono::steady_clock::now();
  auditor.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - began, seconds(30));
}

// Rounds find nothing to look at.
class AuditorBeyondRounds : public AuditorTest {
 protected:
  AuditorBeyondRounds() {
    for (int n = 0; n < 10; ++n) second.put(key_of(n), 1, 10);
    for (int n = 0; n < 10; ++n) first.put(key_of(n), 1, 10);
    history.hide_keys(true);
  }
};

TEST_F(AuditorBeyondRounds, what_just_moved_is_looked_at) {
  start();
  clock.advance(milliseconds(300));
  moved.put(key_of(7), clock.now() - milliseconds(250));
  moved.put(key_of(7), clock.now());
  ASSERT_TRUE(eventually([this] { return recorder.count(0, Verdict::kStale); }, Ge(1)));
  ASSERT_TRUE(eventually([this] { return recorder.count(1, Verdict::kStale); }, Ge(1)));
  EXPECT_THAT(first.asked(), ::testing::ElementsAre(key_of(7)));
  ASSERT_TRUE(eventually([this] { return recorder.looked_at(Cause::kMoved); }, Ge(1u)));
  EXPECT_EQ(recorder.looked_at(Cause::kMoved), 1u) << "once";
  EXPECT_THAT(recorder.detections(), ::testing::Each(nanoseconds(milliseconds(250))));
  EXPECT_EQ(recorder.detections().size(), 2u) << "in two layers";
}

// What idle rounds take is no part of what the auditor may take from readers.
TEST_F(AuditorBeyondRounds, passes_in_which_nothing_moved_and_nobody_read_are_told_apart) {
  start();
  ASSERT_TRUE(eventually([this] { return recorder.idle_passes(); }, Ge(2)));
  EXPECT_EQ(recorder.serving_passes(), 0);
  moved.put(key_of(7), clock.now());
  EXPECT_TRUE(eventually([this] { return recorder.serving_passes(); }, Ge(1)));
}

TEST_F(AuditorBeyondRounds, what_is_read_is_looked_at_in_all_layers_whoever_leads) {
  options.leads = [] { return false; };
  start();
  const std::vector<Key> keys{key_of(3)};
  ASSERT_TRUE(eventually([&] {
    sample.note(keys);
    return recorder.count(1, Verdict::kStale) > 0 && recorder.count(0, Verdict::kStale) > 0;
  }));
  EXPECT_THAT(second.asked(), ::testing::ElementsAre(key_of(3)));
}

TEST_F(AuditorBeyondRounds, what_all_share_is_looked_at_by_the_one_that_leads) {
  options.leads = [] { return false; };
  start();
  moved.put(key_of(7), clock.now());
  ASSERT_TRUE(eventually([this] { return recorder.looked_at(Cause::kMoved); }, Ge(1u)));
  EXPECT_GE(recorder.count(0, Verdict::kStale), 1);
  EXPECT_THAT(second.asked(), ::testing::Not(Contains(key_of(5))));
}

TEST_F(AuditorBeyondRounds, too_many_are_dropped_and_counted) {
  options.keys_per_pass = 4;
  for (int n = 0; n < 10; ++n) moved.put(key_of(n), clock.now());
  start();
  ASSERT_TRUE(eventually([this] { return recorder.left_out(Cause::kMoved); }, ::testing::Eq(6u)));
  ASSERT_TRUE(eventually([this] { return recorder.looked_at(Cause::kMoved); }, ::testing::Eq(4u)));
}

TEST_F(AuditorBeyondRounds, what_was_to_be_examined_while_the_ledger_cannot_be_asked_is_counted) {
  history.fail(absl::UnavailableError("the primary is gone"));
  moved.put(key_of(7), clock.now());
  moved.put(key_of(8), clock.now());
  start();
  EXPECT_TRUE(eventually([this] { return recorder.left_out(Cause::kMoved); }, ::testing::Eq(2u)));
}

// The second witness can be gone through; it has each key as it is.
class AuditorGuided : public AuditorTest {
 protected:
  AuditorGuided() {
    for (int n = 0; n < 10; ++n) {
      first.put(key_of(n), 2, 20);
      second.put(key_of(n), 2, 20);
    }
  }
  void start() {
    measure();
    const std::vector<Witness> witnesses{{.layer = &first},
                                         {.layer = &second, .shared = true, .walkable = &guide}};
    auditor.emplace(options, witnesses, Auditor::Sources{.moved = moved, .read = sample}, history,
                    database_clock, clock, recorder);
  }
  [[nodiscard]] std::size_t checks(std::size_t layer) {
    std::size_t checks = 0;
    for (std::size_t v = 0; v < kVerdicts; ++v) {
      checks += static_cast<std::size_t>(recorder.count(layer, static_cast<Verdict>(v)));
    }
    return checks;
  }

  Guide guide{second};
};

TEST_F(AuditorGuided, a_witness_names_the_keys_of_rounds_and_says_what_it_has_in_one_answer) {
  history.hide_keys(true);
  start();
  await_round();
  auditor.reset();
  EXPECT_THAT(recorder.in_rounds(), Each(10u));
  EXPECT_THAT(second.asked(), IsEmpty()) << "it has said it";
  EXPECT_EQ(first.asked().size(), 10u) << "the others are asked about the same keys";
  EXPECT_THAT(guide.queries(), Each(::testing::Field(&layers::WalkQuery::limit, 3)));
  EXPECT_EQ(static_cast<std::size_t>(recorder.count(1, Verdict::kCurrent)), checks(1));
  EXPECT_EQ(static_cast<std::size_t>(recorder.count(0, Verdict::kCurrent)), checks(0));
  EXPECT_GE(checks(1), 20u);
}

TEST_F(AuditorGuided, who_lies_when_the_keys_are_named_is_asked_again_and_found) {
  second.put(key_of(3), 1, 10);
  second.put(key_of(4), 2, 27);
  start();
  await_round();
  EXPECT_GE(recorder.count(1, Verdict::kStale), 1);
  EXPECT_GE(recorder.count(1, Verdict::kWrongCount), 1);
  EXPECT_THAT(second.asked(), ::testing::ElementsAre(key_of(3), key_of(4)));
  EXPECT_EQ(recorder.summary(0).divergent_keys, 0u);
}

// The interleaving: a level is deleted after it was named, before the ledger is asked.
TEST_F(AuditorGuided, nobody_is_accused_of_what_is_deleted_while_the_ledger_is_asked) {
  std::atomic<bool> deleted{false};
  history.before_answering([&] {
    if (deleted.exchange(true)) return;
    for (int n = 0; n < 10; ++n) {
      history.commit(key_of(n), {.committed_at = DatabaseTime(seconds(1000))});
    }
  });
  start();
  ASSERT_TRUE(eventually([this] { return recorder.looked_at(Cause::kRound); }, Ge(3u)));
  auditor.reset();
  EXPECT_GE(recorder.count(1, Verdict::kCurrent), 3);
  EXPECT_EQ(checks(1), static_cast<std::size_t>(recorder.count(1, Verdict::kCurrent)));
}

TEST_F(AuditorGuided, where_the_witness_fails_the_ledger_names_the_keys) {
  guide.fail(absl::UnavailableError("too many wait for it"));
  start();
  await_round();
  EXPECT_THAT(recorder.in_rounds(), Each(10u));
  EXPECT_EQ(second.asked().size(), 10u) << "it is asked about them, as others are";
  EXPECT_GE(recorder.count(1, Verdict::kCurrent), 10);
  guide.fail(absl::OkStatus());
  second.put({"NEW", "berlin"}, 1, 10);
  ASSERT_TRUE(eventually([this] { return recorder.count(1, Verdict::kAhead); }, Ge(1)))
      << "of which the ledger does not know";
}

TEST_F(AuditorGuided, a_witness_that_is_silent_is_unreachable_and_the_round_goes_on) {
  options.patience = milliseconds(5);
  guide.be_silent();
  second.be_silent();
  start();
  await_round();
  EXPECT_THAT(recorder.in_rounds(), Each(10u));
  EXPECT_GE(recorder.count(1, Verdict::kUnreachable), 10);
  EXPECT_GE(recorder.count(0, Verdict::kCurrent), 10);
  guide.speak();  // all that it was asked, long ago
  second.speak();
  ASSERT_TRUE(eventually([this] { return recorder.count(1, Verdict::kCurrent); }, Ge(10)));
}

TEST_F(AuditorGuided, a_witness_may_name_keys_after_the_auditor_is_gone) {
  guide.be_silent();
  start();
  ASSERT_TRUE(eventually([this] { return !guide.queries().empty(); }));
  const auto began = std::chrono::steady_clock::now();
  auditor.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - began, options.patience / 2);
  guide.speak();
  EXPECT_EQ(checks(0) + checks(1), 0u);
  EXPECT_THAT(recorder.failures(), IsEmpty());
}

TEST_F(AuditorGuided, who_does_not_lead_asks_the_ledger_for_the_keys) {
  options.leads = [] { return false; };
  start();
  ASSERT_TRUE(eventually([this] { return recorder.looked_at(Cause::kRound); }, Ge(25u)));
  auditor.reset();
  EXPECT_THAT(guide.queries(), IsEmpty());
  EXPECT_EQ(first.asked().size(), 10u);
}

TEST_F(AuditorGuided, what_is_new_is_named_in_the_next_round) {
  start();
  await_round();
  const Key added{"A", "berlin"};
  history.commit(
      added, {.exists = true, .counts = {.on_hand = 1}, .committed_at = DatabaseTime(seconds(50))});
  second.put(added, 1, 1);
  ASSERT_TRUE(eventually([&] { return first.asked(); }, Contains(added)));
  EXPECT_EQ(recorder.summary(1).divergent_keys, 0u);
}

TEST(ReadSampleTest, takes_every_key_of_little_traffic_and_a_share_of_much) {
  support::ManualClock clock;
  ReadSample sample(10, clock);
  const std::vector<Key> one{key_of(1)};
  sample.note(one);
  EXPECT_THAT(sample.take(), IsEmpty()) << "nobody has asked for any";
  for (int i = 0; i < 5; ++i) sample.note(one);
  EXPECT_EQ(sample.take().size(), 5u);
  for (int i = 0; i < 100'000; ++i) sample.note(one);
  EXPECT_EQ(sample.take().size(), 20u) << "what there is room for";
  // Spread over all of them, whichever key of a batch it is.
  std::vector<Key> batch;
  for (int n = 0; n < 10; ++n) batch.push_back(key_of(n));
  for (int i = 0; i < 10'000; ++i) sample.note(batch);
  std::set<Key> keys;
  const std::vector<NotedKey> taken = sample.take();
  for (const NotedKey& note : taken) keys.insert(note.key);
  EXPECT_EQ(taken.size(), 10u);
  EXPECT_GE(keys.size(), 5u);
}

TEST_F(AuditorTest, without_the_ledger_nobody_is_judged) {
  first.put(key_of(1), 1, 10);
  history.fail(absl::UnavailableError("the primary is gone"));
  start();
  ASSERT_TRUE(eventually([this] { return recorder.failures(); }, Contains("the primary is gone")));
  EXPECT_EQ(recorder.passes(), 0);
  history.fail(absl::OkStatus());
  await_round();
  EXPECT_EQ(recorder.summary(0).divergent_keys, 1u);
}

}  // namespace
}  // namespace stock::drift
