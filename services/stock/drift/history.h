// What the auditor needs to know of the ledger. Implemented in postgres/.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "stock/domain/key.h"
#include "stock/domain/level.h"
#include "stock/domain/reading.h"
#include "stock/domain/snapshot.h"
#include "stock/domain/time.h"

namespace stock::drift {

// What one version of a key was. It became true somewhere between `committed_at` and `seen_by`.
struct VersionFact {
  bool exists = false;  // false: a tombstone
  domain::Counts counts;
  domain::DatabaseTime committed_at;
  // From here on everybody saw it. Nothing: that was not recorded (yet).
  std::optional<domain::DatabaseTime> seen_by;
  // It is to be recorded yet: it became visible just now, however long ago it says it was
  // committed.
  bool is_new = false;
  // Whatever shows this heartbeat shows this version. Nothing: not recorded (yet).
  std::optional<domain::HeartbeatNumber> shown_by;
  // That made it. 0: not known. Of the versions that one made only the last was ever visible.
  domain::Xid xid = 0;
  // When its movement was written, in that transaction. The epoch: not known.
  domain::DatabaseTime written_at;
  // No hold of the level ends before. The epoch: nothing is held, or it is not known.
  domain::DatabaseTime earliest_expiry;
};

// What the ledger says of one key, in one snapshot.
struct KeyHistory {
  domain::Version newest = 0;  // 0: no movement ever
  VersionFact current;         // of `newest`; when that is 0: no level, committed at the epoch
  domain::Version oldest = 1;  // that is kept; those before it were pruned
  // Of the versions that were asked for and of their successors, those that the ledger holds.
  std::map<domain::Version, VersionFact> versions;
  domain::Incarnation incarnation = 0;            // of the ledger that this is the history of
  domain::HeartbeatNumber heartbeat = 0;          // the newest one that there was
  std::shared_ptr<const domain::Snapshot> shows;  // that this was read in
};

struct HistoryQuestion {
  domain::Key key;
  std::vector<domain::Version> versions;
};

// Whether all `writers` were over: the history shows what they wrote, if it was committed.
[[nodiscard]] inline bool are_over(std::span<const domain::Xid> writers,
                                   const KeyHistory& history) {
  return std::ranges::all_of(writers, [&](domain::Xid xid) { return history.shows->shows(xid); });
}

// Blocks; used by one thread, the auditor's. Errors: UNAVAILABLE and DEADLINE_EXCEEDED. UNAVAILABLE
// also from when the database's clock was set until another incarnation begins: dates of this one
// mean two things.
class HistorySource {
 public:
  virtual ~HistorySource() = default;
  // One history per question, all in one snapshot of the primary.
  virtual absl::StatusOr<std::vector<KeyHistory>> histories(
      std::span<const HistoryQuestion> questions) = 0;
  // The same of what is newest alone, which costs a third: `oldest` and `versions` are not filled,
  // nor when the newest version was written, by whom, and by when it was seen.
  virtual absl::StatusOr<std::vector<KeyHistory>> newest(std::span<const domain::Key> keys) {
    std::vector<HistoryQuestion> questions;
    questions.reserve(keys.size());
    for (const domain::Key& key : keys) questions.push_back({key, {}});
    return histories(questions);
  }
  // The transactions under way that may have written a movement or a heartbeat; no others, however
  // long they are open. What one has written that is over by now is shown by whatever is read from
  // now on; what one writes that begins to only now nobody can have seen yet.
  virtual absl::StatusOr<std::vector<domain::Xid>> writers() = 0;
  // Up to `limit` keys that have a level, behind `after`, in order of (sku, location); from the
  // start when `after` is empty.
  virtual absl::StatusOr<std::vector<domain::Key>> keys_after(const domain::Key& after,
                                                              int limit) = 0;
};

}  // namespace stock::drift
