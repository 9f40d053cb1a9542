// The book of a judgement: counts single claims, and keeps those that are false.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "support/history_checker.h"

namespace stock::support {

using Found = std::vector<Offence>;
// Names an operation, for people. Asked only when something is found.
using Who = std::function<std::string()>;

class Claims {
 public:
  // Counts a claim; convicts when it is false. The sentence is made only then: there are millions.
  template <typename Sentence>
  void check(bool holds, Found& found, OffenceKind kind, Sentence sentence) {
    ++verdict.claims;
    if (!holds) found.push_back({kind, sentence()});
  }

  void tell(Found found) {
    constexpr std::size_t kMostTold = 100;
    verdict.offences_total += found.size();
    for (Offence& offence : found) {
      if (verdict.offences.size() < kMostTold) verdict.offences.push_back(std::move(offence));
    }
  }

  Verdict verdict;
};

}  // namespace stock::support
