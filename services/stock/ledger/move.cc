#include "stock/ledger/move.h"

namespace stock::ledger {

void move(const domain::Key& key, LockedLevel& level, const domain::Counts& after,
          const Cause& cause, std::vector<PlannedMovement>& movements) {
  if (after.reserved == 0) level.earliest_expiry.reset();
  movements.push_back({.key = key,
                       .version = level.version + 1,
                       .before = level.counts,
                       .after = after,
                       .creates_level = !level.exists,
                       .kind = cause.kind,
                       .request = cause.request,
                       .reservation = cause.reservation,
                       .earliest_expiry = level.earliest_expiry});
  level.exists = true;
  level.version += 1;
  level.counts = after;
}

}  // namespace stock::ledger
