// What the batcher needs of a database: one transaction at a time. Implemented in postgres/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "stock/domain/key.h"
#include "stock/domain/level.h"
#include "stock/domain/movement.h"
#include "stock/domain/reservation.h"
#include "stock/domain/snapshot.h"
#include "stock/domain/time.h"
#include "stock/ledger/write.h"

namespace stock::ledger {

// A level under our lock. For a key without a level nothing is locked; when somebody else creates
// it meanwhile, persisting fails with ABORTED and the batch starts again.
struct LockedLevel {
  bool exists = false;
  domain::Counts counts;
  domain::Version version = 0;  // of the level, else of the newest movement
  bool location_exists = true;  // asked only for keys without a level
  // No hold of this level ends before; none: nothing is reserved.
  std::optional<domain::DatabaseTime> earliest_expiry = {};
};
using LockedLevels = absl::flat_hash_map<domain::Key, LockedLevel>;

// A request that was applied earlier, as the ledger remembers it.
struct Remembered {
  Digest digest{};
  std::vector<Written> levels;
  // That applied it, as a transaction of the incarnation that the ledger is in now. Its xid is 0
  // when it is not known yet: the request belongs to the batch that is being decided.
  domain::Transaction transaction;
  // It is a reservation by which it is remembered; `levels` are then not.
  bool made_reservation = false;
};
using RememberedRequests = absl::flat_hash_map<domain::Uuid, Remembered>;

using Reservations = absl::flat_hash_map<domain::Uuid, domain::Reservation>;

// What the ledger said when the locks had been taken.
struct Opened {
  LockedLevels levels;
  RememberedRequests requests;
  domain::DatabaseTime now;  // the database's clock
};

// Somebody else's transaction; the same number is the same one.
using Holder = std::uint64_t;
using Holders = absl::flat_hash_map<domain::Key, Holder>;

// Holds whose time is over, and who still hold units of locked levels.
struct DueHolds {
  std::vector<domain::Reservation> reservations;  // in order of id
  // There may be more: what is short may not be so for long.
  bool truncated = false;
  // When the next hold ends, of any level; none: there is no other.
  std::optional<domain::DatabaseTime> next;
};

// A movement to be written.
struct PlannedMovement {
  domain::Key key;
  domain::Version version = 0;
  domain::Counts before;
  domain::Counts after;
  bool creates_level = false;  // there is no row to update
  domain::MovementKind kind = domain::MovementKind::kAdjust;
  std::optional<std::size_t> request;  // index into Plan::applied; none: nobody asked, time is over
  std::optional<domain::Uuid> reservation;
  std::optional<domain::DatabaseTime> earliest_expiry;  // of the level afterwards
};

// A reservation as a plan leaves it.
struct PlannedReservation {
  domain::Reservation reservation;
  bool created = false;
  Digest digest{};  // of what created it
};

// A line of a hold that has ended, others of which are not locked.
struct LapsedLine {
  domain::Uuid reservation{};
  domain::Key key;
};

// What one transaction is to write.
struct Plan {
  // The transaction that has committed the plan: fills it into the outcomes of what it applies.
  void committed_by(const domain::Transaction& transaction);
  [[nodiscard]] bool empty() const {
    return movements.empty() && applied.empty() && reservations.empty() && lapsed.empty();
  }

  std::vector<Outcome> outcomes;  // one per request, in the same order; true once committed
  // To be persisted together. Every request that applies is remembered, also one that moves
  // nothing: repeated later, it must not find another ledger and move something after all.
  std::vector<PlannedMovement> movements;        // in order of version per key
  std::vector<PlannedReservation> reservations;  // in order of id
  std::vector<LapsedLine> lapsed;                // in order of id
  std::vector<const Request*> applied;
};

// A transaction that is over.
struct Committed {
  domain::Transaction transaction;
  // None: the server does not keep it. It precedes the commit's visibility; a clock read afterwards
  // could be later than the next commit.
  std::optional<domain::DatabaseTime> at;
};

// Errors of all calls: ABORTED: somebody else was faster (deadlock, serialization, unique key):
// start again. CANCELLED: somebody else keeps locked what is needed, and has for long; nothing was
// changed. UNAVAILABLE: the connection is gone. INVALID_ARGUMENT: this data is not acceptable,
// whoever repeats it. INTERNAL: anything else. After an error the transaction can only be
// destroyed, which rolls it back.
class Transaction {
 public:
  virtual ~Transaction() = default;

  // Locks the levels of `keys` (distinct, sorted), and only then reads the rest, so that it is what
  // the locks waited for: the levels, those of `ids` that have been applied before, as requests or
  // as the reservations that they made, and the clock. Once. UNAVAILABLE also while the ledger is
  // in no incarnation: what is written then could not be dated.
  virtual absl::StatusOr<Opened> open(std::span<const domain::Key> keys,
                                      std::span<const domain::Uuid> ids) = 0;
  // Those of `ids` that there are. Before open(), to know which levels are theirs; and after it,
  // when they stay as they are if all their levels are locked.
  virtual absl::StatusOr<Reservations> reservations(std::span<const domain::Uuid> ids) = 0;
  // Holds that have ended by `now` and still hold units of `keys`, which are locked.
  virtual absl::StatusOr<DueHolds> due(std::span<const domain::Key> keys,
                                       domain::DatabaseTime now) = 0;
  // Writes the movements, the levels that follow from the last one of each key, the reservations,
  // and the requests as remembered, as a set, and commits. UNAVAILABLE here means that nobody knows
  // whether it is committed; with any other error it is not.
  virtual absl::StatusOr<Committed> commit(const Plan& plan) = 0;
};

// Used by one thread, the batcher's.
class Store {
 public:
  virtual ~Store() = default;
  // Connects when needed. UNAVAILABLE when there is no primary to be reached; FAILED_PRECONDITION
  // when what it holds is no ledger that may be used.
  virtual absl::StatusOr<std::unique_ptr<Transaction>> begin() = 0;
  // Who has locked those of `keys` (distinct) that cannot be locked at this moment. Waits for
  // nobody, and leaves nothing locked. While no transaction is open. Errors as of a transaction.
  virtual absl::StatusOr<Holders> holders(std::span<const domain::Key> keys) = 0;
};

}  // namespace stock::ledger
