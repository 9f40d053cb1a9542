// Whether sums over several levels can have been right: of totals, and of carts. Pure.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "support/era_truth.h"
#include "support/history.h"

namespace stock::support {

// What a key can have been when the answer was made.
using CandidatesOf = std::function<std::vector<EraTruth::Candidate>(const domain::Key&)>;

// Whether some choice of a candidate for each of its locations makes this total; of one that is not
// said to be mixed, a choice that was the truth at one instant.
bool can_be(const Total& total, const CandidatesOf& candidates);

// Likewise of lines that all name one SKU, in the order asked.
bool can_be(const std::vector<CartLine>& lines, const CandidatesOf& candidates);

}  // namespace stock::support
