// A ledger in memory, for the auditor. Thread-safe.
#pragma once

#include <functional>
#include <map>
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
  void fail(absl::Status status) {
    const std::lock_guard lock(mutex_);
    status_ = std::move(status);
  }
  // Called before each answer, on the thread that asks.
  void before_answering(std::function<void()> hook) { hook_ = std::move(hook); }

  [[nodiscard]] drift::KeyHistory of(const domain::Key& key,
                                     const std::vector<domain::Version>& asked) const {
    const std::lock_guard lock(mutex_);
    drift::KeyHistory history;
    history.incarnation = incarnation_;
    const auto it = ledger_.find(key);
    if (it == ledger_.end() || it->second.empty()) return history;
    const std::map<domain::Version, drift::VersionFact>& versions = it->second;
    history.newest = versions.rbegin()->first;
    history.current = versions.rbegin()->second;
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
    if (hook_) hook_();
    if (absl::Status status = failure(); !status.ok()) return status;
    std::vector<drift::KeyHistory> histories;
    for (const drift::HistoryQuestion& question : questions) {
      histories.push_back(of(question.key, question.versions));
    }
    return histories;
  }

  absl::StatusOr<std::vector<domain::Key>> keys_after(const domain::Key& after,
                                                      int limit) override {
    if (absl::Status status = failure(); !status.ok()) return status;
    const std::lock_guard lock(mutex_);
    std::vector<domain::Key> keys;
    for (auto it = ledger_.upper_bound(after); it != ledger_.end(); ++it) {
      if (std::ssize(keys) == limit) break;
      if (it->second.rbegin()->second.exists) keys.push_back(it->first);
    }
    return keys;
  }

 private:
  [[nodiscard]] absl::Status failure() const {
    const std::lock_guard lock(mutex_);
    return status_;
  }

  std::function<void()> hook_;
  mutable std::mutex mutex_;  // guards the rest
  std::map<domain::Key, std::map<domain::Version, drift::VersionFact>> ledger_;
  absl::Status status_;
  domain::Incarnation incarnation_ = 0;
};

}  // namespace stock::support
