#pragma once

#include <chrono>
#include <optional>
#include <ostream>
#include <string>

#include "stock/v1/drift_service.pb.h"
#include "stock/v1/flags.pb.h"
#include "stockctl/text/terminal.h"

namespace stockctl {

// "5", "hidden", "ended".
std::string seen(const stock::v1::FlaggedAvailability& flagged);
// How long ago the flag service was last known to say all of this; nothing where it said nothing.
std::optional<std::chrono::nanoseconds> said_ago(const stock::v1::FlaggedAvailability& flagged);
// Whether it does not answer, and then what that means, for people; else empty.
std::string caveat(const stock::v1::FlaggedAvailability& flagged);

// Of each key, those that are forked first, what each cohort sees and the flags that make it so:
//   LANTERN-42 @ LON: 120 available, FORKED
//   COHORT  SEES  FLAG          VARIANT  REASON           SAID
//   beta       5  black-friday  capped   TARGETING_MATCH  1.2 s ago
//   public   120  -             -        -                -
void print_forks(std::ostream& out, const stock::v1::ListForksResponse& response,
                 const Terminal& terminal);

}  // namespace stockctl
