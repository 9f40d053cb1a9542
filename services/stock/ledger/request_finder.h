// Asking the ledger for a request that it may hold. Implemented in postgres/.
#pragma once

#include <optional>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "stock/domain/movement.h"
#include "stock/domain/reading.h"
#include "stock/domain/snapshot.h"
#include "stock/domain/time.h"

namespace stock::ledger {

struct FoundRequest {
  domain::Incarnation incarnation = 0;  // that the ledger is in
  // The transaction that applied the request, as one of this incarnation: every snapshot that shows
  // it shows the request's write. Nothing when the ledger does not hold the request.
  std::optional<domain::Xid> xid;
  // Requests of transactions up to this one may have been pruned; nothing: none ever were.
  std::optional<domain::Xid> pruned_through;
};

// Thread-safe, never blocks.
class RequestFinder {
 public:
  virtual ~RequestFinder() = default;
  using Done = absl::AnyInvocable<void(absl::StatusOr<FoundRequest>)>;
  // Asks the primary. `done` is called exactly once, from any thread, at the latest at the deadline
  // (DEADLINE_EXCEEDED). UNAVAILABLE: there is no primary to be asked. RESOURCE_EXHAUSTED: too many
  // wait for it.
  virtual void find(const domain::Uuid& request, domain::LocalTime deadline, Done done) = 0;
};

}  // namespace stock::ledger
