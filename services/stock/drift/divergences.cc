#include "stock/drift/divergences.h"

#include <algorithm>
#include <cstdlib>

namespace stock::drift {

void Divergences::judged(const domain::Key& key, const Judgement& judgement) {
  if (diverges(judgement.verdict)) {
    const auto known = keys_.find(key);
    if (known != keys_.end()) {
      known->second = judgement;
    } else if (keys_.size() < capacity_) {
      keys_.emplace(key, judgement);
    }
  } else if (judgement.verdict == Verdict::kCurrent || judgement.verdict == Verdict::kAbsent) {
    keys_.erase(key);
  }
}

LayerSummary Divergences::summary() const {
  LayerSummary summary{.divergent_keys = keys_.size()};
  for (const auto& [key, judgement] : keys_) {
    summary.max_units = std::max<std::int64_t>(summary.max_units, std::llabs(judgement.units));
    summary.max_versions =
        std::max<std::int64_t>(summary.max_versions, std::llabs(judgement.versions));
    summary.max_age = std::max(summary.max_age, judgement.age);
  }
  return summary;
}

}  // namespace stock::drift
