// What can be asked of the ledger, and what comes of it: values only.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "stock/domain/key.h"
#include "stock/domain/level.h"
#include "stock/domain/movement.h"
#include "stock/domain/reservation.h"
#include "stock/domain/snapshot.h"
#include "stock/domain/time.h"

namespace stock::ledger {

// on_hand += delta, if as much as is promised remains.
struct Adjust {
  domain::Key key;
  std::int64_t on_hand_delta = 0;
};

// on_hand = what was counted, if the level still is what the caller expects.
struct Set {
  domain::Key key;
  std::int64_t on_hand = 0;
  std::optional<std::int64_t> safety_stock;  // left as it is when absent
  std::optional<std::int64_t> expected_on_hand;
  std::optional<domain::Version> expected_version;  // 0: there must be no level
};

// What a level is sold by; what is absent is left as it is.
struct Settings {
  domain::Key key;
  std::optional<std::int64_t> safety_stock;
  std::optional<std::int64_t> backorder_limit;
  std::optional<domain::Version> expected_version;  // 0: there must be no level
};

using Change = std::variant<Adjust, Set, Settings>;

struct Line {
  domain::Key key;
  std::int64_t quantity = 0;  // at least 1
};

// Each line's units are held for a time; lines of one key are summed. Unless `allow_partial`, all
// of them or none; with it, what there is, and at least one unit.
struct Reserve {
  std::vector<Line> lines;
  std::chrono::microseconds ttl{};
  bool allow_partial = false;
};
// A hold gets other lines, or ends at another time. Its own units are at its own disposal.
struct Update {
  std::vector<Line> lines;                       // empty: as they are
  std::optional<std::chrono::microseconds> ttl;  // from now on
};
// A live hold becomes a sale. That never fails for lack of stock.
struct Commit {};
// The units go back: those of a hold, or those of a sale that have not been shipped.
struct Release {};
// Units of a sale are shipped.
struct Fulfill {
  std::vector<Line> lines;  // empty: all that is left
};
// What is left of a hold whose time is over.
struct Expire {};

// What is done to one reservation.
struct Action {
  domain::Uuid reservation{};
  std::optional<std::int64_t> expected_revision;
  std::variant<Reserve, Update, Commit, Release, Fulfill, Expire> what;
};

// SHA-256 of a request's payload: tells a repeated request from a reused id.
using Digest = std::array<std::uint8_t, 32>;

// All changes and the action happen, or none. A Set that changes nothing makes no movement unless
// `kind` is kSet: a cycle count that confirms the stock is worth an entry; an import that does is
// not.
struct Request {
  domain::Uuid id{};
  Digest digest{};
  domain::MovementKind kind = domain::MovementKind::kAdjust;
  std::string reason;
  std::string reference;
  std::string actor;
  std::vector<Change> changes;
  std::optional<Action> action;

  // The lines that it names of an action.
  [[nodiscard]] std::span<const Line> lines() const;
  // Whether the ledger remembers it: all but an Expire, which nobody repeats.
  [[nodiscard]] bool remembered() const;
  // By an entry of its own. A Reserve is remembered by its reservation, whose id is the request's.
  [[nodiscard]] bool remembered_as_request() const;
};

// A level as a request left it.
struct Written {
  domain::Key key;
  domain::Counts counts;
  domain::Version version = 0;
};

struct Applied {
  std::vector<Written> levels;  // in order of key, one per key that the request moved
  bool replayed = false;        // it had been applied before; the levels are those of then
  // What whoever shows this write shows; of a replayed request: the original's.
  domain::Transaction transaction;
  // As the action left it; of a replayed request: as it is now.
  std::optional<domain::Reservation> reservation;
};

enum class Reason : std::uint8_t {
  kInsufficientStock,    // FAILED_PRECONDITION
  kCompareFailed,        // ABORTED
  kLocationNotFound,     // NOT_FOUND
  kRequestIdReused,      // INVALID_ARGUMENT: another payload had this id
  kCountOutOfRange,      // OUT_OF_RANGE: a count would exceed kMaxCount
  kQueueFull,            // RESOURCE_EXHAUSTED: as many wait as may ever
  kOverloaded,           // RESOURCE_EXHAUSTED: those who wait do so for too long
  kUnavailable,          // UNAVAILABLE: no database; whether it was applied is said in the message
  kDeadline,             // DEADLINE_EXCEEDED: dropped before it was decided
  kRejected,             // INTERNAL: the database does not take it, however often it is tried
  kReservationNotFound,  // NOT_FOUND
  kReservationExists,    // ALREADY_EXISTS: with other content
  kReservationExpired,   // FAILED_PRECONDITION: the hold's time is over
  kReservationState,  // FAILED_PRECONDITION: nothing of the kind can be done to it any more, or yet
  kLineMismatch,      // FAILED_PRECONDITION: more is to be shipped than is left of the line
  kLedgerUnfit,       // FAILED_PRECONDITION: the database holds no ledger that may be used
};
inline constexpr std::size_t kReasons = 16;
std::string_view reason_name(Reason reason);  // "insufficient_stock"...

// Why nothing was changed.
struct Refusal {
  struct Line {
    domain::Key key;
    std::int64_t shortfall = 0;  // for kInsufficientStock: units missing
    std::string message;
  };
  Reason reason = Reason::kUnavailable;
  std::string message;
  bool unknown =
      false;  // it may have been applied all the same: the database was lost at the commit
  std::vector<Line> lines;
};

using Outcome = std::variant<Applied, Refusal>;

}  // namespace stock::ledger
