// What a request does to the levels that it touches. Pure: the database has no say in it, so that
// every rule can be tried without one.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "stock/ledger/store.h"
#include "stock/ledger/write.h"

namespace stock::ledger {

// Applies the changes of `request` to `levels`, which hold every key that it names, so that the
// next request of the batch sees what this one did; appends one movement per key moved, and the
// level that it left, both in order of key. Or refuses, naming every line at fault, and then
// changes nothing at all.
//
// The rules:
// - Adjusts of one key are summed, exactly, and judged by their sum alone.
// - A decrease leaves at least what is promised (reserved + committed). An increase is always
//   allowed, also one that leaves less than that: it makes things better.
// - A sum of 0 is a movement like any other: the caller asked for an entry, and is given a version.
// - A Set records what was counted, even when that is less than what is promised.
// - A Set of kImport that changes nothing makes no movement.
// - A key without a level reads as 0, and gets a level, if its location exists.
// - `expected_version` is that of the level or of the tombstone that is there; 0 is met by any key
//   without a level.
// - Settings may take what is promised below what there is: it is then not sold any more.
// - A key that is set occurs once in its request: the caller sees to that.
//
// When lines fail for different reasons, the request is refused for the one that is hardest to
// mend: no location, a count out of range, a failed comparison, too little stock.
[[nodiscard]] std::optional<Refusal> decide(const Request& request, LockedLevels& levels,
                                            std::size_t request_index,
                                            std::vector<PlannedMovement>& movements,
                                            std::vector<Written>& written);

}  // namespace stock::ledger
