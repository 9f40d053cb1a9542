// The witness "flags" of an explanation: one finding for each cohort that is made to see something
// else than there is; else one for all of them.
#pragma once

#include "absl/functional/any_invocable.h"
#include "stock/domain/time.h"
#include "stock/rpc/drift_handlers.h"

namespace stock::rpc {

// Adds to what the other witnesses said; nothing, where no flags or no cohorts are configured.
// `done` is called once, perhaps before this returns, or from any thread; until then the response
// is nobody else's to touch.
void add_flag_findings(const DriftRooms& rooms, domain::LocalTime deadline,
                       v1::ExplainStockLevelResponse& response, absl::AnyInvocable<void()> done);

}  // namespace stock::rpc
