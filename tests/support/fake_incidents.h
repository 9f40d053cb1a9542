// Incidents in memory, as the database keeps them for several processes. Thread-safe.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "stock/drift/incident_store.h"

namespace stock::support {

class FakeIncidents final : public drift::IncidentStore {
 public:
  // What goes wrong with the next decision: nothing of it is written, or all of it is, and nobody
  // is told so, as when a connection is lost at COMMIT.
  enum class Failure { kNone, kBefore, kAfter };

  absl::StatusOr<std::vector<drift::Incident>> decide(
      absl::FunctionRef<void(drift::Docket&)> work) override {
    if (const auto hook = before_deciding()) hook();
    const std::lock_guard lock(mutex_);
    ++decisions_;
    const Failure failure = std::exchange(failure_, Failure::kNone);
    if (failure == Failure::kBefore) return absl::UnavailableError("no connection");
    std::vector<drift::Incident> written = write(work);
    if (failure == Failure::kAfter) return absl::UnavailableError("the connection is lost");
    return written;
  }
  absl::StatusOr<std::vector<drift::Incident>> changed_since(std::int64_t revision,
                                                             std::int32_t limit) override {
    const std::lock_guard lock(mutex_);
    if (unreadable_) return absl::UnavailableError("no connection");
    std::map<std::int64_t, drift::Incident> changed;
    for (const auto& [id, incident] : all_) {
      if (incident.revision > revision) changed[incident.revision] = incident;
    }
    std::vector<drift::Incident> page;
    for (const auto& [at, incident] : changed) {
      if (std::ssize(page) < limit) page.push_back(incident);
    }
    return page;
  }
  absl::StatusOr<Open> open() override {
    const std::lock_guard lock(mutex_);
    if (unreadable_) return absl::UnavailableError("no connection");
    return Open{.incidents = those_open(), .edition = edition_};
  }
  absl::StatusOr<drift::Edition> newest() override {
    const std::lock_guard lock(mutex_);
    if (unreadable_) return absl::UnavailableError("no connection");
    return edition_;
  }
  absl::Status prune(std::chrono::milliseconds /*retention*/) override {
    const std::lock_guard lock(mutex_);
    ++prunings_;
    return absl::OkStatus();
  }

  // As another process decides.
  void decide_elsewhere(const std::vector<drift::Sighting>& sightings) {
    const std::lock_guard lock(mutex_);
    write([&](drift::Docket& docket) {
      for (const drift::Sighting& sighting : sightings) docket.saw(sighting);
    });
  }

  // What was written after a revision is gone, and the next one is that after `newest`.
  void lose_all_since(std::int64_t revision, drift::Edition newest) {
    const std::lock_guard lock(mutex_);
    std::erase_if(all_, [&](const auto& each) { return each.second.revision > revision; });
    edition_ = newest;
  }

  void fail_next(Failure failure) {
    const std::lock_guard lock(mutex_);
    failure_ = failure;
  }
  void set_unreadable(bool unreadable) {
    const std::lock_guard lock(mutex_);
    unreadable_ = unreadable;
  }
  // Called once, on the keeper's thread, before the next decision, after it has been asked for.
  void before_next_decision(std::function<void()> hook) {
    const std::lock_guard lock(mutex_);
    hook_ = std::move(hook);
  }

  [[nodiscard]] std::vector<drift::Incident> all() const {
    const std::lock_guard lock(mutex_);
    std::vector<drift::Incident> all;
    for (const auto& [id, incident] : all_) all.push_back(incident);
    return all;
  }
  [[nodiscard]] int decisions() const {
    const std::lock_guard lock(mutex_);
    return decisions_;
  }
  [[nodiscard]] int prunings() const {
    const std::lock_guard lock(mutex_);
    return prunings_;
  }

 private:
  std::function<void()> before_deciding() {
    const std::lock_guard lock(mutex_);
    return std::exchange(hook_, nullptr);
  }
  [[nodiscard]] std::vector<drift::Incident> those_open() const {
    std::vector<drift::Incident> open;
    for (const auto& [id, incident] : all_) {
      if (incident.open()) open.push_back(incident);
    }
    return open;
  }
  std::vector<drift::Incident> write(absl::FunctionRef<void(drift::Docket&)> work) {
    drift::Docket docket(those_open());
    work(docket);
    std::vector<drift::Incident> written;
    for (drift::Incident* incident : docket.changed()) {
      incident->is_new = incident->id == 0;
      if (incident->is_new) incident->id = ++last_id_;
      incident->revision = ++edition_.revision;
      written.push_back(*incident);
      all_[incident->id] = *incident;
      all_[incident->id].is_new = false;
    }
    return written;
  }

  mutable std::mutex mutex_;  // guards the rest
  std::map<std::int64_t, drift::Incident> all_;
  std::int64_t last_id_ = 0;
  drift::Edition edition_{.incarnation = 1};
  Failure failure_ = Failure::kNone;
  bool unreadable_ = false;
  std::function<void()> hook_;
  int decisions_ = 0;
  int prunings_ = 0;
};

}  // namespace stock::support
