// What streams told, compared with the ledger: everything that was to be told, once, in order, and
// through the instants that their watermarks name.
#pragma once

#include <deque>

#include "support/claims.h"
#include "support/clock_bounds.h"
#include "support/era_truth.h"

namespace stock::support {

void check_streams(const History& history, const std::deque<EraTruth>& eras,
                   const ClockBounds& clock, Claims& claims);

}  // namespace stock::support
