// What became visible in the ledger since a snapshot, asked of the primary: for whoever was away,
// and for those who take movement after movement.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "stock/domain/key.h"
#include "stock/domain/movement.h"
#include "stock/domain/reading.h"
#include "stock/domain/snapshot.h"
#include "stock/domain/time.h"

namespace stock::feed {

// Shows nothing at all: everything is since then. (Adopted movements carry the id 3.)
[[nodiscard]] inline domain::Snapshot beginning_of_time() { return {3, 3, {}}; }

// Whether a was taken after b, both of one incarnation: it then shows all that b shows.
[[nodiscard]] inline bool is_later(const domain::Snapshot& a, const domain::Snapshot& b) {
  return a.xmax() > b.xmax() || (a.xmax() == b.xmax() && a.running().size() < b.running().size());
}

struct LevelDeltaQuery {
  // One of the two.
  std::vector<domain::Key> keys;
  std::string location;
  domain::Snapshot since;
  std::size_t limit = 10'000;  // levels, of a location
};

// The newest version of each key that moved.
struct LevelDelta {
  domain::Incarnation incarnation = 0;
  domain::DatabaseTime stamp;
  std::shared_ptr<const domain::Snapshot> shows;
  bool more = false;  // than the limit
  std::vector<domain::Key> keys;
  std::vector<domain::Reading> readings;  // one for one
  std::vector<std::size_t> numbers;       // of those that were asked for by key
};

// A page of what `through` shows and `since` does not, in order of (sku, location, version).
struct MovementDeltaQuery {
  domain::Snapshot since;
  domain::Snapshot through;
  // May `through` be replaced by an earlier snapshot, so that the delta is a small one?
  bool shorten = false;
  // How to read it, as the page before said.
  std::optional<bool> walk;
  domain::Key after;  // begin behind this version of it
  domain::Version after_version = 0;
  std::string location;  // empty: all
  std::size_t limit = 1000;
};

struct MovementDelta {
  domain::Incarnation incarnation = 0;
  domain::Snapshot through;
  // The delta is without movements that were pruned.
  bool pruned = false;
  bool walk = false;
  std::vector<domain::Movement> movements;
  bool more = false;
  // Where the next page begins; meaningful when there is more. A page may be short, or empty, and
  // have more behind it.
  domain::Key after;
  domain::Version after_version = 0;
};

// Thread-safe, never blocks; `done` is called exactly once, from any thread, at the latest at the
// deadline. Errors as those of layers::Catalogue.
class DeltaSource {
 public:
  template <typename T>
  using Done = absl::AnyInvocable<void(absl::StatusOr<T>)>;

  virtual ~DeltaSource() = default;
  virtual void levels(LevelDeltaQuery query, domain::LocalTime deadline, Done<LevelDelta> done) = 0;
  virtual void movements(MovementDeltaQuery query, domain::LocalTime deadline,
                         Done<MovementDelta> done) = 0;
  // Below which transaction id `incarnation`, which is over, and the history that followed it are
  // the same for certain; 1 when nobody knows any more.
  virtual void common_past(domain::Incarnation incarnation, domain::LocalTime deadline,
                           Done<domain::Xid> done) = 0;
};

// Whether a transaction up to `through` may be one that the snapshot does not show.
[[nodiscard]] bool may_lack(const domain::Snapshot& snapshot, domain::Xid through);

// What a snapshot of an incarnation that is over shows for certain in the history that followed.
[[nodiscard]] domain::Snapshot clamp(const domain::Snapshot& snapshot, domain::Xid below);

}  // namespace stock::feed
