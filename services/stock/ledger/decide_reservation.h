// What is done to a reservation. Pure, as decide().
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "stock/ledger/store.h"
#include "stock/ledger/write.h"

namespace stock::ledger {

// What a batch stands on, and leaves behind.
struct Books {
  LockedLevels levels;
  RememberedRequests requests;
  Reservations reservations;  // those that are named and exist, and those that are due
  DueHolds due;               // once more, as they were
  domain::DatabaseTime now;   // read after the locks were taken
};

// Applies the action of `request` to the books, which hold every level that it concerns; appends
// one movement per key moved, and the level that it left, in order of key. Or refuses, naming every
// line at fault, and then changes nothing at all.
//
// The rules:
// - A reservation takes what can be sold: available + backorder_limit. Lines of a key are summed.
// - A hold whose time is over is nobody's any more, whether its units went back already or not.
// - Commit and Release never fail for lack of stock. Where somebody else took counts down below
// what
//   the reservation holds, as much goes as there is.
// - Fulfill takes units off the shelf: what was sold beyond the stock has to arrive first.
[[nodiscard]] std::optional<Refusal> decide_reservation(const Request& request, Books& books,
                                                        std::size_t request_index,
                                                        std::vector<PlannedMovement>& movements,
                                                        std::vector<Written>& written);

// Gives the units of holds that have ended back to the levels that are locked. Returns the lines of
// those that are not over with it: other levels of theirs are not locked.
[[nodiscard]] std::vector<LapsedLine> expire_due(Books& books,
                                                 std::vector<PlannedMovement>& movements);

}  // namespace stock::ledger
