// What the auditor needs to know of the ledger. Implemented in postgres/.
#pragma once

#include <map>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "stock/domain/key.h"
#include "stock/domain/level.h"
#include "stock/domain/reading.h"
#include "stock/domain/time.h"

namespace stock::drift {

// What one version of a key was.
struct VersionFact {
  bool exists = false;  // false: a tombstone
  domain::Counts counts;
  domain::DatabaseTime committed_at;
};

// What the ledger says of one key, in one snapshot.
struct KeyHistory {
  domain::Version newest = 0;  // 0: no movement ever
  VersionFact current;         // of `newest`; when that is 0: no level, committed at the epoch
  // Of the versions that were asked for and of their successors, those that the ledger holds.
  std::map<domain::Version, VersionFact> versions;
  domain::Incarnation incarnation = 0;  // of the ledger that this is the history of
};

struct HistoryQuestion {
  domain::Key key;
  std::vector<domain::Version> versions;
};

// Blocks; used by one thread, the auditor's. Errors: UNAVAILABLE and DEADLINE_EXCEEDED.
class HistorySource {
 public:
  virtual ~HistorySource() = default;
  // One history per question, all in one snapshot of the primary.
  virtual absl::StatusOr<std::vector<KeyHistory>> histories(
      std::span<const HistoryQuestion> questions) = 0;
  // Up to `limit` keys that have a level, behind `after`, in order of (sku, location); from the
  // start when `after` is empty.
  virtual absl::StatusOr<std::vector<domain::Key>> keys_after(const domain::Key& after,
                                                              int limit) = 0;
};

}  // namespace stock::drift
