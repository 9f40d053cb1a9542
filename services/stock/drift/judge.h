// Judges testimonies by the ledger: asks it what each needs, and compares.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "stock/drift/archive.h"
#include "stock/drift/testimony.h"
#include "stock/drift/verdict.h"

namespace stock::drift {

// A testimony, and when it was told.
struct Told {
  Testimony testimony;
  Dates dates;
};

struct Judged {
  Finding finding;
  Sold sold;                            // of a claim of sold units
  domain::Incarnation incarnation = 0;  // of the ledger that judged
  bool by_memory = false;               // which says the same; nobody asked the ledger
  // Through when what it was judged by is known to be true.
  domain::DatabaseTime true_through;
};

// One for one. Blocks. Judged as of when it was told; or as its last word at `now`. What the ledger
// does not know at all is looked for a second time, and is certain once all transactions are over
// that were writing then: a standby may show a commit before the primary does. As long as one of
// those stays open, nobody is accused of being ahead.
absl::StatusOr<std::vector<Judged>> judge_by(Archive& archive, std::span<const Told* const> told,
                                             const std::optional<Span>& now);

}  // namespace stock::drift
