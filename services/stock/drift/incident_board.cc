#include "stock/drift/incident_board.h"

#include <algorithm>
#include <utility>

namespace stock::drift {

void IncidentBoard::begin(std::vector<Incident> open, Edition edition) {
  {
    const std::lock_guard lock(mutex_);
    forgotten_ = place() + 1;
    open_.clear();
    recent_.clear();
    for (Incident& incident : open) {
      const std::int64_t id = incident.id;
      open_[id] = std::make_shared<const Incident>(std::move(incident));
    }
    edition_ = edition;
  }
  wake_all();
}

void IncidentBoard::changed(std::vector<Incident> incidents) {
  if (incidents.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    for (Incident& incident : incidents) {
      auto shared = std::make_shared<const Incident>(std::move(incident));
      if (shared->open()) {
        open_[shared->id] = shared;
      } else {
        open_.erase(shared->id);
      }
      edition_->revision = shared->revision;
      recent_.push_back(std::move(shared));
    }
    while (recent_.size() > kRemembered) {
      ++forgotten_;
      recent_.pop_front();
    }
  }
  wake_all();
}

IncidentBoard::Incidents IncidentBoard::open() const {
  const std::lock_guard lock(mutex_);
  Incidents open;
  open.reserve(open_.size());
  for (const auto& [id, incident] : open_) open.push_back(incident);
  return open;
}

std::optional<Edition> IncidentBoard::edition() const {
  const std::lock_guard lock(mutex_);
  return edition_;
}

std::optional<IncidentBoard::News> IncidentBoard::news(std::optional<std::uint64_t> since) const {
  const std::lock_guard lock(mutex_);
  if (!edition_ || since == place()) return std::nullopt;
  News news{.initial = !since || *since < forgotten_, .place = place()};
  if (news.initial) {
    for (const auto& [id, incident] : open_) news.incidents.push_back(incident);
  } else {
    const auto unseen = static_cast<std::ptrdiff_t>(*since - forgotten_);
    news.incidents.assign(recent_.begin() + unseen, recent_.end());
  }
  return news;
}

IncidentBoard::Handle IncidentBoard::watch(std::function<void()> wake) const {
  auto watcher = std::make_shared<std::function<void()>>(std::move(wake));
  const std::lock_guard lock(mutex_);
  std::erase_if(watchers_, [](const auto& known) { return known.expired(); });
  watchers_.push_back(watcher);
  return watcher;
}

void IncidentBoard::wake_all() {
  std::vector<std::weak_ptr<std::function<void()>>> watchers;
  {
    const std::lock_guard lock(mutex_);
    watchers = watchers_;
  }
  for (const auto& weak : watchers) {
    if (const auto watcher = weak.lock()) (*watcher)();
  }
}

}  // namespace stock::drift
