// What clients were told, and what the ledger says: the input of the history checker. Plain values.
//
// Local times are CLOCK_BOOTTIME of the machine that the test runs on, taken before a request was
// sent and after its answer was there. Database times are the stamps in the answers and in the
// ledger.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "stock/domain/key.h"
#include "stock/domain/level.h"
#include "stock/domain/time.h"

namespace stock::support {

// ---- What clients were told

// A level in an answer. Of a key without a level: exists is false, and version that of the
// tombstone, or 0.
struct Statement {
  domain::Key key;
  bool exists = false;
  domain::Version version = 0;
  domain::Counts counts;
  std::optional<domain::DatabaseTime> as_of;
  domain::DatabaseTime true_through;
  std::chrono::microseconds age{0};
  std::string layer;  // "memory", "redis", "replica" or "primary"
  // Of reads of the past: by when the version had been seen, and whether it was just becoming true.
  std::optional<domain::DatabaseTime> seen_by = {};
  bool in_transition = false;
};

// A SKU summed over locations.
struct Total {
  std::string sku;
  std::vector<std::string> locations;
  domain::Counts counts;
  std::int64_t available = 0;
  int found = 0;  // locations that have a level
  std::chrono::microseconds age{0};
  bool mixed = false;  // not all parts are true through one instant
};

// A line of a cart, and what it can have after the lines before it.
struct CartLine {
  std::string sku;
  std::vector<std::string> locations;  // in the order in which it takes from them
  std::int64_t quantity = 0;
  bool found = false;
  std::int64_t available = 0;
  std::int64_t shortfall = 0;
};

enum class Asked : std::uint8_t {
  kBounded,          // minimize_latency, or max_staleness
  kFullyConsistent,  // as of the request, or later
  kAtLeast,          // as fresh as a write
  kReadTime,         // what was true then
  kVersion,          // this version
};

// One call that reads, and its answer.
struct ReadOp {
  int client = 0;
  std::string from;  // the instance that answered, for people
  domain::LocalTime sent;
  domain::LocalTime received;
  Asked asked = Asked::kBounded;
  std::chrono::microseconds bound{0};  // of kBounded: the request's, or the server's
  std::string token_of;                // of kAtLeast: the request id of the write
  domain::DatabaseTime read_time;      // of kReadTime
  domain::Version version = 0;         // of kVersion
  bool write_lost = false;             // kAtLeast, refused: there is no such write
  bool version_denied = false;         // kVersion, refused: there is none yet, of `denied`
  domain::Key denied;
  bool bound_missed = false;         // said so itself
  std::chrono::microseconds age{0};  // of the oldest part
  std::chrono::microseconds uncertainty{0};
  std::vector<Statement> levels;
  std::vector<Total> totals;
  std::vector<CartLine> cart;
  bool cart_available = false;  // no line lacks anything
};

// A level as a write said that it left it.
struct WrittenLevel {
  domain::Key key;
  domain::Version version = 0;
  domain::Counts counts;
};

enum class Fate : std::uint8_t {
  kAcknowledged,
  kRefused,  // told that it was not applied
  kUnknown,  // no answer, or one that leaves it open
};

// One call that writes. A request that is tried again is several of these with one id.
struct WriteOp {
  int client = 0;
  std::string from;
  domain::LocalTime sent;
  domain::LocalTime received;
  std::string request;
  Fate fate = Fate::kUnknown;
  bool replayed = false;
  // What was asked for, where it was an adjustment: the signed change of on_hand of each key.
  std::map<domain::Key, std::int64_t> deltas;
  std::vector<WrittenLevel> levels;  // empty where the answer does not name them
};

// A version that somebody saw on the primary beside the service, which answered by `received`.
struct Sighting {
  domain::Key key;
  domain::Version version = 0;
  domain::LocalTime sent;
  domain::LocalTime received;
};

// A reading of the database's clock: it was `stamp`, cut to microseconds, at some instant between.
struct ClockSample {
  domain::LocalTime sent;
  domain::DatabaseTime stamp;
  domain::LocalTime received;
};

// ---- What streams told

// A level that a watch told, as it was found or as it changed.
struct Change {
  Statement level;
  std::int64_t left_out = 0;  // versions of the key before this one
};

// A movement that a stream told.
struct ToldMovement {
  domain::Key key;
  domain::Version version = 0;
  bool deleted = false;
  domain::Counts counts;
  std::int64_t on_hand_delta = 0;
  domain::DatabaseTime committed_at;
  std::string request;
};

template <typename Item>
struct StreamMessage {
  domain::LocalTime received;
  bool initial = false;
  bool reset = false;
  bool resumable = false;  // carries a token
  std::optional<domain::DatabaseTime> watermark;
  std::vector<Item> items;
};

// From one call to its end.
template <typename Item>
struct StreamCall {
  std::string from;  // the instance, for people
  domain::LocalTime sent;
  bool resumed = false;  // behind the last resumable message of the call before; else anew
  std::vector<StreamMessage<Item>> messages;
};

// WatchStockLevels of keys, or of a location, over as many calls as it took.
struct WatchLog {
  int client = 0;
  std::vector<domain::Key> keys;
  std::string location;
  std::vector<StreamCall<Change>> calls;
};

// StreamStockMovements, likewise.
struct MovementLog {
  int client = 0;
  bool from_beginning = false;  // else from its first call on
  std::string location;         // empty: all
  std::vector<StreamCall<ToldMovement>> calls;
};

struct History {
  std::vector<ReadOp> reads;
  std::vector<WriteOp> writes;
  std::vector<Sighting> sightings;
  std::vector<ClockSample> clock;
  std::vector<WatchLog> watches;
  std::vector<MovementLog> movement_streams;
  // Nothing was written after this, and every stream was read until its watermark had passed it.
  std::optional<domain::DatabaseTime> quiet_since;
};

// ---- What the ledger says

struct LedgerMovement {
  domain::Version version = 0;
  bool exists = false;
  domain::Counts counts;
  std::int64_t on_hand_delta = 0;
  // When it became true: not before the one, and by the other, where that is known.
  domain::DatabaseTime committed_at;
  std::optional<domain::DatabaseTime> seen_by;
  std::uint64_t xid = 0;
  std::string request;  // empty: none
};

struct Ledger {
  // Of each key in order of version, from 1 on.
  std::map<domain::Key, std::vector<LedgerMovement>> movements;
  // Applied requests, with the versions that they made.
  std::map<std::string, std::map<domain::Key, domain::Version>> requests;
};

// A stretch of the ledger's life under one primary. A failover that may lose what was acknowledged
// begins another one; a crash and a restart do not.
struct Era {
  Ledger ledger;
  // By then its primary was dead, and the next one had not begun. Nothing: it lives.
  std::optional<domain::LocalTime> ended;
};

}  // namespace stock::support
