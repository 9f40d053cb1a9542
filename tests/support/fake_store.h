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
  // kWrite: it is known not to be committed.
  enum class Step { kBegin, kOpen, kWrite, kCommit };
  // What became of a commit whose answer was lost.
  enum class Fate {
    kNothing,   // it did not happen
    kHappened,  // it did
    kInFlight,  // it happens when somebody waits for what it holds
  };

  // Transactions are numbered 1, 2, 3... in this incarnation.
  static constexpr domain::Incarnation kIncarnation = 7;

  // A batch as it was written: request ids in order.
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
  // Holds that have ended and are found at once.
  void limit_due(std::size_t limit) {
    const std::lock_guard lock(mutex_);
    due_limit_ = limit;
  }
  // As a server that keeps no instants of commits.
  void forget_commits() {
    const std::lock_guard lock(mutex_);
    keeps_commits_ = false;
  }
  // The clock that is read under the locks.
  void set_now(domain::DatabaseTime now) {
    const std::lock_guard lock(mutex_);
    now_ = now;
  }
  // The commit that is in flight comes through.
  void land() {
    const std::lock_guard lock(mutex_);
    land_locked();
  }
  // Whoever waits for the level's lock waits in vain, until it is let go of.
  void keep_locked(const domain::Key& key, ledger::Holder holder) {
    const std::lock_guard lock(mutex_);
    kept_[key] = holder;
  }
  void let_go(const domain::Key& key) {
    const std::lock_guard lock(mutex_);
    kept_.erase(key);
  }
  // How often somebody waited in vain.
  [[nodiscard]] int vain_waits() const {
    const std::lock_guard lock(mutex_);
    return vain_waits_;
  }
  // Writing fails for every batch that holds such a request.
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
  [[nodiscard]] domain::Counts counts(const domain::Key& key) const {
    const std::lock_guard lock(mutex_);
    const auto it = state_.levels.find(key);
    return it == state_.levels.end() ? domain::Counts{} : it->second.counts;
  }
  [[nodiscard]] std::optional<domain::Reservation> reservation(const domain::Uuid& id) const {
    const std::lock_guard lock(mutex_);
    const auto it = state_.reservations.find(id);
    return it == state_.reservations.end() ? std::nullopt : std::optional(it->second);
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
  absl::StatusOr<ledger::Holders> holders(std::span<const domain::Key> keys) override {
    const std::lock_guard lock(mutex_);
    ledger::Holders holders;
    for (const domain::Key& key : keys) {
      if (const auto kept = kept_.find(key); kept != kept_.end()) holders.insert(*kept);
    }
    return holders;
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
    std::map<domain::Uuid, domain::Reservation> reservations;
    std::vector<Batch> batches;
  };

  class Transaction final : public ledger::Transaction {
   public:
    explicit Transaction(FakeStore& store) : store_(store) {}

    absl::StatusOr<ledger::Opened> open(std::span<const domain::Key> keys,
                                        std::span<const domain::Uuid> ids) override {
      const std::lock_guard guard(store_.mutex_);
      EXPECT_TRUE(std::is_sorted(keys.begin(), keys.end()));
      EXPECT_EQ(std::adjacent_find(keys.begin(), keys.end()), keys.end());
      EXPECT_FALSE(opened_) << "levels are locked once";
      if (auto failure = store_.next_failure(Step::kOpen)) return failure->status;
      for (const domain::Key& key : keys) {
        if (!store_.kept_.contains(key)) continue;
        ++store_.vain_waits_;
        return absl::CancelledError("lock timeout");
      }
      opened_ = true;
      ledger::Opened opened{.now = store_.now_};
      for (const domain::Key& key : keys) {
        const bool exists = store_.state_.levels.contains(key);
        if (exists && store_.in_flight_keys_.contains(key)) store_.land_locked();
      }
      for (const domain::Key& key : keys) {
        const auto it = store_.state_.levels.find(key);
        if (it != store_.state_.levels.end()) {
          opened.levels[key] = it->second;
        } else {
          opened.levels[key].location_exists = store_.locations_.contains(key.location);
        }
      }
      for (const domain::Uuid& id : ids) {
        const auto it = store_.state_.requests.find(id);
        if (it != store_.state_.requests.end()) opened.requests[id] = it->second;
      }
      return opened;
    }

    absl::StatusOr<ledger::Reservations> reservations(std::span<const domain::Uuid> ids) override {
      const std::lock_guard guard(store_.mutex_);
      ledger::Reservations found;
      for (const domain::Uuid& id : ids) {
        const auto it = store_.state_.reservations.find(id);
        if (it != store_.state_.reservations.end()) found[id] = it->second;
      }
      return found;
    }

    absl::StatusOr<ledger::DueHolds> due(std::span<const domain::Key> keys,
                                         domain::DatabaseTime now) override {
      const std::lock_guard guard(store_.mutex_);
      EXPECT_TRUE(opened_) << "locks come first";
      ledger::DueHolds due;
      for (const auto& [id, reservation] : store_.state_.reservations) {
        if (reservation.state != domain::ReservationState::kHeld) continue;
        if (!reservation.ended(now)) {
          due.next = std::min(due.next.value_or(reservation.expire_at), reservation.expire_at);
          continue;
        }
        const bool concerned =
            std::any_of(reservation.lines.begin(), reservation.lines.end(), [&](const auto& line) {
              return !line.expired && std::find(keys.begin(), keys.end(), line.key) != keys.end();
            });
        if (concerned && due.reservations.size() < store_.due_limit_) {
          due.reservations.push_back(reservation);
        }
      }
      due.truncated = due.reservations.size() == store_.due_limit_;
      return due;
    }

    absl::StatusOr<ledger::Committed> commit(const ledger::Plan& plan) override {
      EXPECT_FALSE(plan.empty()) << "there is nothing to commit";
      const absl::StatusOr<domain::Transaction> written = write(plan);
      if (!written.ok()) return written.status();
      if (store_.before_commit_) store_.before_commit_();
      const std::lock_guard guard(store_.mutex_);
      if (auto failure = store_.next_failure(Step::kCommit)) {
        if (failure->fate == Fate::kHappened) store_.state_ = *std::move(after_);
        if (failure->fate == Fate::kInFlight) {
          store_.in_flight_ = std::move(after_);
          store_.in_flight_keys_ = std::move(keys_);
        }
        return failure->status;
      }
      store_.state_ = *std::move(after_);
      ledger::Committed committed{.transaction = *written, .at = {}};
      if (store_.keeps_commits_) committed.at = store_.now_;
      return committed;
    }

   private:
    absl::StatusOr<domain::Transaction> write(const ledger::Plan& plan) {
      const std::lock_guard guard(store_.mutex_);
      if (auto failure = store_.next_failure(Step::kWrite)) return failure->status;
      for (const ledger::Request* request : plan.applied) {
        if (store_.poisonous_ && store_.poisonous_(*request)) {
          return absl::InvalidArgumentError("poisonous");
        }
        if (store_.in_flight_ && store_.in_flight_->requests.contains(request->id))
          store_.land_locked();
        if (store_.state_.requests.contains(request->id)) return absl::AbortedError("unique key");
      }
      after_ = store_.state_;
      for (const ledger::PlannedMovement& movement : plan.movements) write(movement, plan.applied);
      Batch& batch = after_->batches.emplace_back();
      const domain::Transaction transaction{.incarnation = kIncarnation,
                                            .xid = after_->batches.size()};
      for (const ledger::Request* request : plan.applied) {
        batch.push_back(request->id);
        if (!request->remembered_as_request()) continue;
        after_->requests[request->id].digest = request->digest;
        after_->requests[request->id].transaction = transaction;
      }
      for (const auto& [reservation, created, digest] : plan.reservations) {
        EXPECT_EQ(after_->reservations.contains(reservation.id), !created);
        after_->reservations[reservation.id] = reservation;
        if (!created) continue;
        after_->requests[reservation.id] = {
            .digest = digest, .levels = {}, .transaction = transaction, .made_reservation = true};
      }
      for (const ledger::LapsedLine& lapsed : plan.lapsed) {
        for (domain::ReservationLine& line : after_->reservations.at(lapsed.reservation).lines) {
          if (line.key == lapsed.key) line.expired = true;
        }
      }
      return transaction;
    }

    void write(const ledger::PlannedMovement& movement,
               std::span<const ledger::Request* const> requests) {
      ledger::LockedLevel& level = after_->levels[movement.key];
      EXPECT_EQ(movement.version, level.version + 1) << "versions are contiguous";
      EXPECT_EQ(movement.before, level.counts);
      EXPECT_EQ(movement.creates_level, !level.exists);
      EXPECT_TRUE(domain::in_range(movement.after));
      level = {.exists = true,
               .counts = movement.after,
               .version = movement.version,
               .earliest_expiry = movement.earliest_expiry};
      keys_.insert(movement.key);
      if (!movement.request) return;
      ASSERT_LT(*movement.request, requests.size());
      const ledger::Request& request = *requests[*movement.request];
      if (!request.remembered_as_request()) return;
      after_->requests[request.id].levels.push_back(
          {movement.key, movement.after, movement.version});
    }

    FakeStore& store_;
    bool opened_ = false;
    std::optional<State> after_;
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
  domain::DatabaseTime now_{std::chrono::hours(1)};
  bool keeps_commits_ = true;
  std::optional<State> in_flight_;
  std::set<domain::Key> in_flight_keys_;
  std::deque<Failure> script_;
  std::map<domain::Key, ledger::Holder> kept_;
  int vain_waits_ = 0;
  std::size_t due_limit_ = 1000;
};

}  // namespace stock::support
