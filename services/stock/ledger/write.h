// What can be asked of the ledger, and what comes of it: values only.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "stock/domain/key.h"
#include "stock/domain/level.h"
#include "stock/domain/movement.h"
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

using Change = std::variant<Adjust, Set>;

// SHA-256 of a request's payload: tells a repeated request from a reused id.
using Digest = std::array<std::uint8_t, 32>;

// All changes happen, or none. A Set that changes nothing makes no movement unless `kind` is kSet:
// a cycle count that confirms the stock is worth an entry; an import that does is not.
struct Request {
  domain::Uuid id{};
  Digest digest{};
  domain::MovementKind kind = domain::MovementKind::kAdjust;
  std::string reason;
  std::string reference;
  std::string actor;
  std::vector<Change> changes;
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
};

enum class Reason : std::uint8_t {
  kInsufficientStock,  // FAILED_PRECONDITION
  kCompareFailed,      // ABORTED
  kLocationNotFound,   // NOT_FOUND
  kRequestIdReused,    // INVALID_ARGUMENT: another payload had this id
  kCountOutOfRange,    // OUT_OF_RANGE: a count would exceed kMaxCount
  kQueueFull,          // RESOURCE_EXHAUSTED
  kUnavailable,        // UNAVAILABLE: no database; whether it was applied is said in the message
  kDeadline,           // DEADLINE_EXCEEDED: dropped before it was decided
  kRejected,           // INTERNAL: the database does not take it, however often it is tried
};
inline constexpr std::size_t kReasons = 9;
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
