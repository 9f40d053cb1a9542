// A ledger in memory, for the auditor. Thread-safe, but that it fails the test when two ask it at a
// time.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "stock/drift/history.h"

namespace stock::support {

class FakeHistory final : public drift::HistorySource {
 public:
  // Makes the next version of `key`.
  void commit(const domain::Key& key, const drift::VersionFact& fact) {
    const std::lock_guard lock(mutex_);
    std::map<domain::Version, drift::VersionFact>& versions = ledger_[key];
    const domain::Version newest = versions.empty() ? 0 : versions.rbegin()->first;
    versions[newest + 1] = fact;
  }
  // The heartbeat `number` is the newest from now on, and the first that shows what was committed
  // since the one before, which everybody has seen by `at`.
  void beat(domain::HeartbeatNumber number, domain::DatabaseTime at) {
    const std::lock_guard lock(mutex_);
    heartbeat_ = number;
    for (auto& [key, versions] : ledger_) {
      for (auto it = versions.rbegin(); it != versions.rend() && !it->second.seen_by; ++it) {
        it->second.seen_by = at;
        it->second.shown_by = number;
      }
    }
  }
  // Forgets the versions below `version`.
  void prune(const domain::Key& key, domain::Version version) {
    const std::lock_guard lock(mutex_);
    std::map<domain::Version, drift::VersionFact>& versions = ledger_[key];
    versions.erase(versions.begin(), versions.lower_bound(version));
  }
  // The versions are those of another ledger from now on.
  void become(domain::Incarnation incarnation) {
    const std::lock_guard lock(mutex_);
    incarnation_ = incarnation;
  }
  // The transactions that run from now on, in ascending order, and those of them that write.
  void set_transactions(std::vector<domain::Xid> running, std::vector<domain::Xid> writers) {
    const std::lock_guard lock(mutex_);
    const domain::Xid oldest = running.front();
    const domain::Xid next = running.back() + 1;
    shows_ = std::make_shared<const domain::Snapshot>(oldest, next, std::move(running));
    writers_ = std::move(writers);
  }
  void fail(absl::Status status) {
    const std::lock_guard lock(mutex_);
    status_ = std::move(status);
  }
  // There are no keys to go through, or there are again.
  void hide_keys(bool hidden) {
    const std::lock_guard lock(mutex_);
    no_keys_ = hidden;
  }
  // Called before each answer, on the thread that asks.
  void before_answering(std::function<void()> hook) { hook_ = std::move(hook); }

  [[nodiscard]] drift::KeyHistory of(const domain::Key& key,
                                     const std::vector<domain::Version>& asked) const {
    const std::lock_guard lock(mutex_);
    drift::KeyHistory history;
    history.incarnation = incarnation_;
    history.heartbeat = heartbeat_;
    history.shows = shows_;
    const auto it = ledger_.find(key);
    if (it == ledger_.end() || it->second.empty()) return history;
    const std::map<domain::Version, drift::VersionFact>& versions = it->second;
    history.newest = versions.rbegin()->first;
    history.current = versions.rbegin()->second;
    history.oldest = versions.begin()->first;
    for (const domain::Version version : asked) {
      for (const domain::Version wanted : {version, version + 1}) {
        const auto fact = versions.find(wanted);
        if (fact != versions.end()) history.versions.insert(*fact);
      }
    }
    return history;
  }

  absl::StatusOr<std::vector<drift::KeyHistory>> histories(
      std::span<const drift::HistoryQuestion> questions) override {
    const Asked asked(*this);
    if (hook_) hook_();
    if (absl::Status status = failure(); !status.ok()) return status;
    std::vector<drift::KeyHistory> histories;
    for (const drift::HistoryQuestion& question : questions) {
      histories.push_back(of(question.key, question.versions));
    }
    return histories;
  }

  absl::StatusOr<std::vector<domain::Xid>> writers() override {
    const Asked asked(*this);
    const std::lock_guard lock(mutex_);
    return writers_;
  }

  absl::StatusOr<std::vector<domain::Key>> keys_after(const domain::Key& after,
                                                      int limit) override {
    const Asked asked(*this);
    if (absl::Status status = failure(); !status.ok()) return status;
    const std::lock_guard lock(mutex_);
    std::vector<domain::Key> keys;
    if (no_keys_) return keys;
    for (auto it = ledger_.upper_bound(after); it != ledger_.end(); ++it) {
      if (std::ssize(keys) == limit) break;
      if (it->second.rbegin()->second.exists) keys.push_back(it->first);
    }
    return keys;
  }

 private:
  struct Asked {
    explicit Asked(FakeHistory& history) : history(history) {
      EXPECT_FALSE(history.asked_.exchange(true)) << "by one at a time";
    }
    ~Asked() { history.asked_ = false; }
    FakeHistory& history;
  };

  [[nodiscard]] absl::Status failure() const {
    const std::lock_guard lock(mutex_);
    return status_;
  }

  std::function<void()> hook_;
  std::atomic<bool> asked_{false};
  mutable std::mutex mutex_;  // guards the rest
  std::map<domain::Key, std::map<domain::Version, drift::VersionFact>> ledger_;
  absl::Status status_;
  bool no_keys_ = false;
  domain::Incarnation incarnation_ = 0;
  domain::HeartbeatNumber heartbeat_ = 0;
  std::shared_ptr<const domain::Snapshot> shows_;
  std::vector<domain::Xid> writers_;
};

}  // namespace stock::support
