#pragma once

#include <ostream>

#include "stock/v1/stock_service.pb.h"
#include "stockctl/text/terminal.h"

namespace stockctl {

// One level and, at a glance, where its count comes from:
//   LANTERN-42 @ LON
//
//     available    1,204    on hand 1,213, reserved 3, committed 6, safety stock 0
//     seen by      5        beta, as was said 1.2 s ago
//     flag         black-friday, variant capped (TARGETING_MATCH)
//     holds        none ends before 2026-11-24 02:12:04.000 UTC, in 4 min 53 s
//     version      17       committed 2026-11-24 02:03:11.123 UTC, 4 min ago
//     answered by  redis    true through 02:07:09.480 UTC, 1.2 s old (± 0.4 ms)
//     trail        memory miss 3 µs → redis hit 210 µs
//     instance     stockd-1
void print_level(std::ostream& out, const stock::v1::GetStockLevelResponse& response,
                 const Terminal& terminal);

}  // namespace stockctl
