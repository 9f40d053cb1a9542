// The rule of freshness: through when is a copy of a level known to be true? Pure.
//
// A copy is (version, stamp, as_of, n): what a statement of a database said, true through its
// stamp, and n, the newest heartbeat that the statement saw. It may have been anywhere since, for
// any time. A process judges it by its own feed: by the watermark (the snapshot W through which the
// feed has been applied, with its stamp) and by the slot of the table of recent moves that its key
// belongs to. A slot holds the last key that moved there, its version, and `since` = 2 + the newest
// heartbeat visible to the poll that delivered the move. `since` never falls. The table holds every
// move that was not visible to heartbeat h0's snapshot and is visible to W.
//
// Claim: a copy that is kCurrent is true through W's stamp.
//
// Proof. Suppose it is not: its key has a successor that W shows and that the copy's statement did
// not see. n >= h0, and a statement that sees heartbeat n sees all that h0's snapshot shows; so h0
// does not show the successor, and the feed has delivered it. Then its slot has been written for
// it.
//   - If the slot still names the key, it does so with the successor's version or a higher one, and
//     the copy would be kSuperseded.
//   - Else another key has moved there later, and since `since` never falls, it is at least 2 + h,
//     where h is the newest heartbeat visible to the poll that delivered the successor. Heartbeat
//     h + 2 was taken by a transaction that saw h + 1, which was not visible to that poll; so its
//     snapshot was taken after the poll's, and its commit was recorded after the successor's. Hence
//     every statement that sees heartbeat h + 2, on the primary or on a standby, sees the
//     successor. The copy's did not, so n < h + 2 <= `since`, and the copy would be kOwnDate. (With
//     h + 1 this fails: its snapshot may be older than the poll's, and what becomes visible first
//     need not be recorded first, which is the order that standbys show.)
// The reader must load the watermark before the slot, and the applier write slots before the
// watermark: a slot that is newer than the watermark only makes more copies superseded.
#pragma once

#include <cstdint>

#include "stock/domain/reading.h"

namespace stock::feed {

// 128 bits of a key: two keys with the same one do not occur (2^40 keys: one chance in 2^49).
struct Fingerprint {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  friend bool operator==(const Fingerprint&, const Fingerprint&) = default;
};

struct Slot {
  Fingerprint key;
  domain::Version version = 0;  // 0: nothing has moved here
  domain::HeartbeatNumber since = 0;
};

enum class Standing : std::uint8_t {
  kCurrent,     // true through the watermark
  kSuperseded,  // its key has moved on
  kOwnDate,     // true through the later of its stamp and as_of; more is not known
};

// The copy and the table are of the same incarnation.
[[nodiscard]] inline Standing judge(domain::Version version, domain::HeartbeatNumber n,
                                    const Fingerprint& key, const Slot& slot,
                                    domain::HeartbeatNumber h0) {
  const bool own = slot.version > 0 && slot.key == key;
  if (own && version < slot.version) return Standing::kSuperseded;
  if (n < h0) return Standing::kOwnDate;
  if (slot.version > 0 && !own && n < slot.since) return Standing::kOwnDate;
  return Standing::kCurrent;
}

}  // namespace stock::feed
