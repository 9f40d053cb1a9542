#include "stock/drift/divergences.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>

namespace stock::drift {

namespace {

double units_of(const Judgement& judgement) {
  return std::abs(static_cast<double>(judgement.units));
}

}  // namespace

bool Divergences::judged(const domain::Key& key, const Judgement& judgement,
                         domain::LocalTime now) {
  const bool wrong = diverges(judgement.verdict);
  const bool right =
      judgement.verdict == Verdict::kCurrent || judgement.verdict == Verdict::kAbsent;
  const auto known = keys_.find(key);
  if (known == keys_.end()) {
    if ((!wrong && !judgement.may_be_ahead) || keys_.size() >= capacity_) return false;
    accrue(now);
    units_ += units_of(judgement);
    keys_.emplace(key, judgement);
    return wrong;
  }
  if (!wrong && !right) return false;
  const bool is_new = wrong && !diverges(known->second.verdict);
  accrue(now);
  units_ -= units_of(known->second);
  if (wrong) {
    units_ += units_of(judgement);
    known->second = judgement;
  } else {
    keys_.erase(known);
    if (keys_.empty()) units_ = 0;  // without what rounding has left
  }
  return is_new;
}

void Divergences::accrue(domain::LocalTime now) {
  if (units_ > 0)
    unit_seconds_ += units_ * std::chrono::duration<double>(now - accrued_at_).count();
  accrued_at_ = now;
}

LayerSummary Divergences::summary(domain::LocalTime now) {
  accrue(now);
  LayerSummary summary{.unit_seconds = unit_seconds_};
  for (const auto& [key, judgement] : keys_) {
    if (diverges(judgement.verdict)) ++summary.divergent_keys;
    summary.max_units = std::max<std::int64_t>(summary.max_units, std::llabs(judgement.units));
    summary.max_versions =
        std::max<std::int64_t>(summary.max_versions, std::llabs(judgement.versions));
    summary.max_age = std::max(summary.max_age, judgement.age);
  }
  return summary;
}

}  // namespace stock::drift
