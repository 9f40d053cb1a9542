// A movement is one immutable entry of the ledger: what changed on one key, and the counts
// afterwards.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "stock/domain/key.h"
#include "stock/domain/level.h"
#include "stock/domain/time.h"

namespace stock::domain {

enum class MovementKind : std::uint8_t {
  kAdjust,
  kSet,
  kImport,
  kDirect,  // changed by SQL, around the service
  kMove,    // to or from another location
  kSettings,
  kReserve,  // this and the rest: of a reservation
  kUpdate,
  kCommit,
  kRelease,
  kExpire,
  kFulfill,
};
inline constexpr std::size_t kMovementKinds = 12;

// As stored: "ADJUST", "SET"...
std::string_view kind_name(MovementKind kind);
std::optional<MovementKind> parse_kind(std::string_view name);

// 16 bytes, as in RFC 4122.
using Uuid = std::array<std::uint8_t, 16>;
std::string format_uuid(const Uuid& uuid);              // 8-4-4-4-12, lower case
std::optional<Uuid> parse_uuid(std::string_view text);  // the same form, either case

struct Movement {
  Key key;
  Version version = 0;
  MovementKind kind = MovementKind::kAdjust;
  Counts delta;
  Counts after;
  bool deleted = false;  // a tombstone: the level is gone
  DatabaseTime committed_at;
  std::string reason;
  std::string reference;
  std::string actor;
  std::optional<Uuid> request;
  std::optional<Uuid> reservation;
};

struct Location {
  std::string id;
  std::string display_name;
  DatabaseTime created_at;
};

}  // namespace stock::domain
