// What the batcher needs of a database: one transaction at a time. Implemented in postgres/.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "stock/domain/key.h"
#include "stock/domain/level.h"
#include "stock/domain/movement.h"
#include "stock/domain/snapshot.h"
#include "stock/ledger/write.h"

namespace stock::ledger {

// A level under our lock. For a key without a level nothing is locked; when somebody else creates
// it meanwhile, persisting fails with ABORTED and the batch starts again.
struct LockedLevel {
  bool exists = false;
  domain::Counts counts;
  domain::Version version = 0;  // of the level, else of the newest movement
  bool location_exists = true;  // asked only for keys without a level
};
using LockedLevels = absl::flat_hash_map<domain::Key, LockedLevel>;

// A request that was applied earlier, as the ledger remembers it.
struct Remembered {
  Digest digest{};
  std::vector<Written> levels;
  // That applied it, as a transaction of the incarnation that the ledger is in now. Its xid is 0
  // when it is not known yet: the request belongs to the batch that is being decided.
  domain::Transaction transaction;
};
using RememberedRequests = absl::flat_hash_map<domain::Uuid, Remembered>;

// A movement to be written. Belongs to a request by index into Transaction::persist()'s `requests`.
struct PlannedMovement {
  domain::Key key;
  domain::Version version = 0;
  domain::Counts before;
  domain::Counts after;
  bool creates_level = false;  // there is no row to update
  std::size_t request = 0;
};

// Errors of all calls: ABORTED: somebody else was faster (deadlock, serialization, unique key):
// start again. UNAVAILABLE: the connection is gone. INVALID_ARGUMENT: this data is not acceptable,
// whoever repeats it. INTERNAL: anything else. After an error the transaction can only be
// destroyed, which rolls it back.
class Transaction {
 public:
  virtual ~Transaction() = default;

  // Locks the levels of `keys` (distinct, sorted): this comes first, and only then the rest is
  // read, so that what is read is what the locks waited for.
  virtual absl::StatusOr<LockedLevels> lock(std::span<const domain::Key> keys) = 0;
  // Those of `ids` that have been applied before. After lock().
  virtual absl::StatusOr<RememberedRequests> remembered(std::span<const domain::Uuid> ids) = 0;
  // Writes the movements (in order of version per key), the levels that follow from the last one of
  // each key, and the requests as remembered, as a set. Returns which transaction this is.
  // UNAVAILABLE while the ledger is in no incarnation: what is written then could not be dated.
  virtual absl::StatusOr<domain::Transaction> persist(std::span<const PlannedMovement> movements,
                                                      std::span<const Request* const> requests) = 0;
  // UNAVAILABLE here means that nobody knows whether it is committed.
  virtual absl::Status commit() = 0;
};

// Used by one thread, the batcher's.
class Store {
 public:
  virtual ~Store() = default;
  // Connects when needed. UNAVAILABLE when there is no primary to be reached.
  virtual absl::StatusOr<std::unique_ptr<Transaction>> begin() = 0;
};

}  // namespace stock::ledger
