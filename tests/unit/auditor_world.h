// An auditor of two witnesses and a history that a test keeps, and what it says; for the tests of
// the auditor.
#pragma once

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

using domain::DatabaseTime;
using domain::Key;
using domain::Outcome;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using support::eventually;

inline Key key_of(int n) {
  return {.sku = std::string("SKU-") + char('0' + n), .location = "berlin"};
}

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
    {
      const std::lock_guard lock(mutex_);
      silent_ = false;
    }
    answer_waiting();
  }
  // What it has been asked, and nothing else yet.
  void answer_waiting() {
    std::vector<absl::AnyInvocable<void()>> late;
    {
      const std::lock_guard lock(mutex_);
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
    ASSERT_TRUE(eventually([this] { return recorder.rounds(); }, ::testing::Ge(rounds + 2)));
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

}  // namespace stock::drift
