#pragma once

#include <optional>
#include <ostream>
#include <string_view>

#include "stock/v1/drift_service.pb.h"
#include "stockctl/text/terminal.h"

namespace stockctl {

// The divergence that a word names ("wrong_count"), if one does.
std::optional<stock::v1::Verdict> verdict_named(std::string_view word);

// One incident: who, since when, and what was wrong at first.
//   #12 WRONG COUNT  redis  LANTERN-42 @ LON
//       open since 2026-11-24 02:07:09 UTC; told by redis, memory@stockd-1
//       version 18 has 120, not 42
// Or "#12 AHEAD  redis  200 keys, the first LANTERN-42 @ LON".
void print_incident(std::ostream& out, const stock::v1::Incident& incident,
                    const Terminal& terminal);

void print_incidents(std::ostream& out, const stock::v1::ListIncidentsResponse& response,
                     const Terminal& terminal);

}  // namespace stockctl
