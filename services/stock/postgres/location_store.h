// Creates locations. Everything else about them is read through the catalogue.
#pragma once

#include "stock/clock/timers.h"
#include "stock/ledger/location_writer.h"
#include "stock/postgres/pool.h"

namespace stock::postgres {

// The pool, of the primary, outlives it.
class LocationStore final : public ledger::LocationWriter {
 public:
  LocationStore(Pool& pool, clock::Timers& timers) : pool_(pool), timers_(timers) {}

  // Also INVALID_ARGUMENT when the ledger does not take such names; DEADLINE_EXCEEDED leaves open
  // whether there will be a location, and the call may be repeated.
  void create(domain::Location location, domain::LocalTime deadline,
              absl::AnyInvocable<void(absl::StatusOr<domain::Location>)> done) override;

 private:
  Pool& pool_;
  clock::Timers& timers_;
};

}  // namespace stock::postgres
