// The open incidents as this process knows them, and what changed last, for whoever watches.
//
// Thread-safe: one mutex, held for as long as it takes to copy. Written by the keeper alone.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "stock/drift/incident.h"

namespace stock::drift {

class IncidentBoard {
 public:
  using Incidents = std::vector<std::shared_ptr<const Incident>>;

  // All there is, as of an edition. What was known before is void.
  void begin(std::vector<Incident> open, Edition edition);
  // What changed after that, in the order of revisions.
  void changed(std::vector<Incident> incidents);

  [[nodiscard]] Incidents open() const;
  // Up to which it knows; nothing: begin() has not been called.
  [[nodiscard]] std::optional<Edition> edition() const;

  struct News {
    bool initial = false;  // not changes, but all that is open: whoever reads begins with it
    Incidents incidents;
    std::uint64_t place = 0;  // to be given the next time
  };
  // What changed after `since`; all that is open when that is nothing, or too long ago. Nothing:
  // nothing did, or nothing is known yet.
  [[nodiscard]] std::optional<News> news(std::optional<std::uint64_t> since) const;

  // `wake` is called on the keeper's thread when there are news, for as long as the handle lives.
  // Must not block or call the board.
  using Handle = std::shared_ptr<void>;
  [[nodiscard]] Handle watch(std::function<void()> wake) const;

 private:
  static constexpr std::size_t kRemembered = 1000;

  [[nodiscard]] std::uint64_t place() const { return forgotten_ + recent_.size(); }
  void wake_all();

  mutable std::mutex mutex_;
  std::map<std::int64_t, std::shared_ptr<const Incident>> open_;  // by id
  std::deque<std::shared_ptr<const Incident>> recent_;            // in the order of changing
  std::uint64_t forgotten_ = 0;  // so many news came before those; to begin is one
  std::optional<Edition> edition_;
  mutable std::vector<std::weak_ptr<std::function<void()>>> watchers_;
};

}  // namespace stock::drift
