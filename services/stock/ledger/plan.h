// What a batch of requests does, in order of arrival. Pure.
#pragma once

#include <span>
#include <vector>

#include "stock/ledger/store.h"
#include "stock/ledger/write.h"

namespace stock::ledger {

struct Plan {
  // The transaction that persists the plan: fills it into the outcomes of what it applies.
  void persisted_by(const domain::Transaction& transaction);

  std::vector<Outcome> outcomes;  // one per request, in the same order; true once committed
  // To be persisted together. Every request that applies is remembered, also one that moves
  // nothing: repeated later, it must not find another ledger and move something after all.
  std::vector<PlannedMovement> movements;
  std::vector<const Request*> applied;
};

// Decides `requests` one after the other on `levels`, which hold every key that they name. A
// request that is remembered, or applied earlier in the same batch, is answered as it was then; one
// that was refused earlier in the batch is decided again. `levels` and `remembered` end as the plan
// leaves the ledger. The plan points to the requests.
[[nodiscard]] Plan make_plan(std::span<const Request* const> requests, LockedLevels& levels,
                             RememberedRequests& remembered);

}  // namespace stock::ledger
