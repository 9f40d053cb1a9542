// What is kept of a reading: all that it says of the ledger. Which layer answers, and by what local
// instant it is still true, is known when it is read.
#pragma once

#include <cstdint>

#include "stock/domain/reading.h"

namespace stock::memory {

struct Copy {
  Copy() : exists(false), version(0) {}
  explicit Copy(const domain::Reading& reading)
      : exists(reading.exists),
        version(reading.version),
        counts(reading.counts),
        earliest_expiry(reading.earliest_expiry),
        as_of(reading.as_of),
        true_through(reading.true_through),
        incarnation(reading.incarnation),
        heartbeat(reading.heartbeat) {}

  void give(domain::Reading& out) const {
    out = {.exists = exists,
           .version = version,
           .counts = counts,
           .earliest_expiry = earliest_expiry,
           .as_of = as_of,
           .true_through = true_through,
           .incarnation = incarnation,
           .heartbeat = heartbeat,
           .confirmed_at = {},
           .confirmed_within = {},
           .layer = {}};
  }

  bool exists : 1;
  domain::Version version : 63;
  domain::Counts counts;
  domain::DatabaseTime earliest_expiry;
  domain::DatabaseTime as_of;
  domain::DatabaseTime true_through;
  domain::Incarnation incarnation = 0;
  domain::HeartbeatNumber heartbeat = 0;
};
static_assert(sizeof(Copy) == 88);

}  // namespace stock::memory
