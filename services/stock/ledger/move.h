// The one step by which a decision changes a level.
#pragma once

#include <vector>

#include "stock/ledger/store.h"

namespace stock::ledger {

// Why a level moves.
struct Cause {
  domain::MovementKind kind = domain::MovementKind::kAdjust;
  std::optional<std::size_t> request;  // index into Plan::applied
  std::optional<domain::Uuid> reservation;
};

// The level gets its next version, with `after` as its counts; appends the movement.
void move(const domain::Key& key, LockedLevel& level, const domain::Counts& after,
          const Cause& cause, std::vector<PlannedMovement>& movements);

}  // namespace stock::ledger
