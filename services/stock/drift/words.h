// What the ledger says of a finding, in a sentence for people. Pure.
//
// Counts are of what is available, unless that is not where they differ. Instants are UTC, and have
// a date where it is not that of the asking.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "stock/domain/movement.h"
#include "stock/domain/time.h"
#include "stock/drift/testimony.h"
#include "stock/drift/verdict.h"

namespace stock::drift {

// "1,204".
std::string grouped(std::int64_t count);

// "42 was true from 02:03:11.000 to 02:03:15.000, 3 versions ago; superseded by version 15: adjust,
// order 536365, by shop". `successor`: the movement that replaced the claimed version, null where
// that is not known.
std::string words(const Finding& finding, const domain::Movement* successor);

// The same of a testimony: also of which window or cohort, how wrong its witness's clock is, and
// how long before `now` it was told; without that instant, whether it came late.
std::string words(const Finding& finding, const Testimony& testimony, const Dates& dates,
                  const domain::Movement* successor, std::optional<domain::DatabaseTime> now);

// Of the version that was claimed, whether it was true at an instant: "it was true then", "it
// became true only at 02:03:11.000". Empty where nobody can say.
std::string words_at(const Finding& finding, domain::DatabaseTime at);

}  // namespace stock::drift
