// A ledger in memory, for the batcher, that fails when told to.
//
// It is strict: what a real database would refuse (gaps in versions, unlocked keys, a request id
// twice) fails the test. It is used by the batcher's thread, and looked at by the test's through
// the accessors, which are thread-safe.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "stock/ledger/store.h"

namespace stock::support {

class FakeStore final : public ledger::Store {
 public:
  enum class Step { kBegin, kLock, kRemembered, kPersist, kCommit };
  // What became of a commit whose answer was lost.
  enum class Fate {
    kNothing,   // it did not happen
    kHappened,  // it did
    kInFlight,  // it happens when somebody waits for what it holds
  };

  // Transactions are numbered 1, 2, 3... in this incarnation.
  static constexpr domain::Incarnation kIncarnation = 7;

  // A batch as it was persisted: request ids in order.
  using Batch = std::vector<domain::Uuid>;

  FakeStore() = default;

  void add_location(const std::string& id) { locations_.insert(id); }
  void put(const domain::Key& key, const domain::Counts& counts, domain::Version version) {
    const std::lock_guard lock(mutex_);
    state_.levels[key] = {.exists = true, .counts = counts, .version = version};
  }
  // The next time that a transaction comes to this step, it fails. Failures happen in the order in
  // which they are asked for.
  void fail(Step step, absl::Status status, Fate fate = Fate::kNothing) {
    const std::lock_guard lock(mutex_);
    script_.push_back({.step = step, .status = std::move(status), .fate = fate});
  }
  // And then, every time.
  void fail_forever(Step step, absl::Status status) {
    const std::lock_guard lock(mutex_);
    script_.push_back({.step = step, .status = std::move(status), .forever = true});
  }
  // The commit that is in flight comes through.
  void land() {
    const std::lock_guard lock(mutex_);
    land_locked();
  }
  // persist() fails for every batch that holds such a request.
  void poison(std::function<bool(const ledger::Request&)> poisonous) {
    poisonous_ = std::move(poisonous);
  }
  // Called before each commit, on the batcher's thread.
  void before_commit(std::function<void()> hook) { before_commit_ = std::move(hook); }

  [[nodiscard]] std::int64_t on_hand(const domain::Key& key) const {
    const std::lock_guard lock(mutex_);
    const auto it = state_.levels.find(key);
    return it == state_.levels.end() ? 0 : it->second.counts.on_hand;
  }
  [[nodiscard]] domain::Version version(const domain::Key& key) const {
    const std::lock_guard lock(mutex_);
    const auto it = state_.levels.find(key);
    return it == state_.levels.end() ? 0 : it->second.version;
  }
  // Those that were committed.
  [[nodiscard]] std::vector<Batch> batches() const {
    const std::lock_guard lock(mutex_);
    return state_.batches;
  }
  absl::StatusOr<std::unique_ptr<ledger::Transaction>> begin() override {
    const std::lock_guard lock(mutex_);
    if (auto failure = next_failure(Step::kBegin)) return failure->status;
    return std::make_unique<Transaction>(*this);
  }

 private:
  struct Failure {
    Step step;
    absl::Status status;
    Fate fate = Fate::kNothing;
    bool forever = false;
  };

  struct State {
    std::map<domain::Key, ledger::LockedLevel> levels;
    std::map<domain::Uuid, ledger::Remembered> requests;
    std::vector<Batch> batches;
  };

  class Transaction final : public ledger::Transaction {
   public:
    explicit Transaction(FakeStore& store) : store_(store) {}

    absl::StatusOr<ledger::LockedLevels> lock(std::span<const domain::Key> keys) override {
      const std::lock_guard guard(store_.mutex_);
      EXPECT_TRUE(std::is_sorted(keys.begin(), keys.end()));
      EXPECT_EQ(std::adjacent_find(keys.begin(), keys.end()), keys.end());
      EXPECT_FALSE(locked_) << "levels are locked once";
      if (auto failure = store_.next_failure(Step::kLock)) return failure->status;
      locked_ = true;
      ledger::LockedLevels levels;
      for (const domain::Key& key : keys) {
        const bool exists = store_.state_.levels.contains(key);
        if (exists && store_.in_flight_keys_.contains(key)) store_.land_locked();
      }
      for (const domain::Key& key : keys) {
        const auto it = store_.state_.levels.find(key);
        if (it != store_.state_.levels.end()) {
          levels[key] = it->second;
        } else {
          levels[key].location_exists = store_.locations_.contains(key.location);
        }
      }
      return levels;
    }

    absl::StatusOr<ledger::RememberedRequests> remembered(
        std::span<const domain::Uuid> ids) override {
      const std::lock_guard guard(store_.mutex_);
      EXPECT_TRUE(locked_) << "locks come first";
      if (auto failure = store_.next_failure(Step::kRemembered)) return failure->status;
      ledger::RememberedRequests requests;
      for (const domain::Uuid& id : ids) {
        const auto it = store_.state_.requests.find(id);
        if (it != store_.state_.requests.end()) requests[id] = it->second;
      }
      return requests;
    }

    absl::StatusOr<domain::Transaction> persist(
        std::span<const ledger::PlannedMovement> movements,
        std::span<const ledger::Request* const> requests) override {
      const std::lock_guard guard(store_.mutex_);
      if (auto failure = store_.next_failure(Step::kPersist)) return failure->status;
      for (const ledger::Request* request : requests) {
        if (store_.poisonous_ && store_.poisonous_(*request)) {
          return absl::InvalidArgumentError("poisonous");
        }
        if (store_.in_flight_ && store_.in_flight_->requests.contains(request->id))
          store_.land_locked();
        if (store_.state_.requests.contains(request->id)) return absl::AbortedError("unique key");
      }
      after_ = store_.state_;
      for (const ledger::PlannedMovement& movement : movements) write(movement, requests);
      Batch& batch = after_->batches.emplace_back();
      const domain::Transaction transaction{.incarnation = kIncarnation,
                                            .xid = after_->batches.size()};
      for (const ledger::Request* request : requests) {
        after_->requests[request->id].digest = request->digest;
        after_->requests[request->id].transaction = transaction;
        batch.push_back(request->id);
      }
      return transaction;
    }

    absl::Status commit() override {
      if (store_.before_commit_) store_.before_commit_();
      const std::lock_guard guard(store_.mutex_);
      EXPECT_TRUE(after_.has_value()) << "there is nothing to commit";
      if (auto failure = store_.next_failure(Step::kCommit)) {
        if (failure->fate == Fate::kHappened) store_.state_ = *std::move(after_);
        if (failure->fate == Fate::kInFlight) {
          store_.in_flight_ = std::move(after_);
          store_.in_flight_keys_ = std::move(keys_);
        }
        return failure->status;
      }
      store_.state_ = *std::move(after_);
      return absl::OkStatus();
    }

   private:
    void write(const ledger::PlannedMovement& movement,
               std::span<const ledger::Request* const> requests) {
      ledger::LockedLevel& level = after_->levels[movement.key];
      EXPECT_EQ(movement.version, level.version + 1) << "versions are contiguous";
      EXPECT_EQ(movement.before, level.counts);
      EXPECT_EQ(movement.creates_level, !level.exists);
      EXPECT_TRUE(domain::in_range(movement.after));
      ASSERT_LT(movement.request, requests.size());
      level = {.exists = true, .counts = movement.after, .version = movement.version};
      keys_.insert(movement.key);
      after_->requests[requests[movement.request]->id].levels.push_back(
          {movement.key, movement.after, movement.version});
    }

    FakeStore& store_;
    bool locked_ = false;
    std::optional<State> after_;  // once persisted
    std::set<domain::Key> keys_;
  };

  // With mutex_ held.
  std::optional<Failure> next_failure(Step step) {
    if (script_.empty() || script_.front().step != step) return std::nullopt;
    Failure failure = script_.front();
    if (!failure.forever) script_.pop_front();
    return failure;
  }
  void land_locked() {
    state_ = *std::move(in_flight_);
    in_flight_.reset();
    in_flight_keys_.clear();
  }

  std::set<std::string> locations_{"berlin"};
  std::function<bool(const ledger::Request&)> poisonous_;
  std::function<void()> before_commit_;

  mutable std::mutex mutex_;  // guards the rest
  State state_;
  std::optional<State> in_flight_;
  std::set<domain::Key> in_flight_keys_;
  std::deque<Failure> script_;
};

}  // namespace stock::support
