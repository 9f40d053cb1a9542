// Who is told of levels the moment they are committed, instead of hearing of them by the feed.
#pragma once

#include <span>

#include "stock/domain/key.h"
#include "stock/domain/reading.h"

namespace stock::ledger {

// Called from the batchers' threads. Must not block. Outlives the batchers.
class Announcer {
 public:
  virtual ~Announcer() = default;
  struct Seen {
    domain::Incarnation incarnation = 0;
    domain::HeartbeatNumber heartbeat = 0;  // of that incarnation; 0: none
  };
  // The newest heartbeat that this process has seen by now. Asked before a transaction begins: what
  // that commits in the same incarnation is dated by it, as a copy that was read then would be.
  [[nodiscard]] virtual Seen seen() const = 0;
  // The levels that one transaction left (`keys`, one for one), as copies that were true when it
  // was committed.
  virtual void committed(std::span<const domain::Key> keys,
                         std::span<const domain::Reading> levels) = 0;
};

}  // namespace stock::ledger
