// A reading is a level as one layer gave it: counts never travel without their version and date.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "stock/domain/level.h"
#include "stock/domain/time.h"

namespace stock::domain {

// One unbroken history of the ledger; a random number. 0: not known.
using Incarnation = std::uint64_t;
// Heartbeats are numbered 1, 2, 3...; 0: none was visible.
using HeartbeatNumber = std::int64_t;

struct Reading {
  bool exists = false;  // false: there is no level, and that is a statement like any other
  Version version = 0;  // of the level, or of the tombstone that removed it
  Counts counts;        // all 0 when there is no level
  // No hold of this level ends before: a lower bound, which belongs to the version like the counts.
  // The epoch: nothing is reserved, or it is not known, of versions from before this was recorded.
  DatabaseTime earliest_expiry;
  // When the movement that made this version was committed. The epoch when there was none.
  DatabaseTime as_of;
  // The latest instant at which this reading is known to have been the truth. Never optimistic.
  DatabaseTime true_through;
  Incarnation incarnation = 0;
  // The newest heartbeat visible to the statement that read this.
  HeartbeatNumber heartbeat = 0;
  // A local instant at which it still was the truth, when this process found that out by its own
  // feed: the age is then counted from here, by no clock but this machine's. The epoch: not so, and
  // the age is that of `true_through`.
  LocalTime confirmed_at;
  // It may have been found out as much later.
  std::chrono::nanoseconds confirmed_within{0};
  // The layer that said so. Set by the read path; outlives the reading.
  std::string_view layer;
};

}  // namespace stock::domain
