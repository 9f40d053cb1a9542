// A level that somebody was told, compared with one era's ledger: by whatever call it was told.
#pragma once

#include "support/claims.h"
#include "support/era_truth.h"

namespace stock::support {

enum class Versions : std::uint8_t { kVisible, kAny };

// Version, counts and as_of. False when there is nothing that the rest could be compared with.
// `allowed`: whether a version that was replaced in its own transaction may be told.
bool check_content(Claims& claims, const Who& who, const Statement& said, const EraTruth& era,
                   Versions allowed, Found& found);

// What it was true through. `latest`: the database's clock had not passed it when it was told.
void check_dates(Claims& claims, const Who& who, const Statement& said, domain::DatabaseTime latest,
                 const EraTruth& era, Found& found);

}  // namespace stock::support
