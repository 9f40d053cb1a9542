// Creating locations. Implemented in postgres/.
#pragma once

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "stock/domain/movement.h"
#include "stock/domain/time.h"

namespace stock::ledger {

// Thread-safe, never blocks.
class LocationWriter {
 public:
  virtual ~LocationWriter() = default;
  // Creates it, or finds it created with the same display name. ALREADY_EXISTS: with another one.
  // `done` is called exactly once, from any thread, at the latest at the deadline.
  virtual void create(domain::Location location, domain::LocalTime deadline,
                      absl::AnyInvocable<void(absl::StatusOr<domain::Location>)> done) = 0;
};

}  // namespace stock::ledger
