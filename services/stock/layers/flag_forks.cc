#include "stock/layers/flag_forks.h"

namespace stock::layers {

void FlagForks::asked(const domain::Key& key, std::int64_t available) {
  const std::lock_guard lock(mutex_);
  const auto it = index_.find(key);
  if (it != index_.end()) {
    it->second->second = available;
    asked_.splice(asked_.begin(), asked_, it->second);
    return;
  }
  if (asked_.size() == kMaxKeys) {
    index_.erase(asked_.back().first);
    asked_.pop_back();
  }
  asked_.emplace_front(key, available);
  index_.emplace(key, asked_.begin());
}

std::vector<domain::Key> FlagForks::keys() const {
  std::vector<domain::Key> keys;
  const std::lock_guard lock(mutex_);
  for (const auto& [key, available] : asked_) keys.push_back(key);
  return keys;
}

std::vector<std::int64_t> FlagForks::counts() const {
  std::vector<std::pair<domain::Key, std::int64_t>> asked;
  {
    const std::lock_guard lock(mutex_);
    asked.assign(asked_.begin(), asked_.end());
  }
  std::vector<std::int64_t> counts(flags_.size());
  for (const auto& [key, available] : asked) {
    std::vector<domain::Flagged> views;
    for (const std::string& cohort : cohorts_) {
      const auto said = reader_.kept({cohort, key});
      if (said) views.push_back(domain::flagged(flags_, *said, available));
    }
    for (std::size_t i = 0; i < flags_.size(); ++i) {
      if (domain::contradict(views, i)) ++counts[i];
    }
  }
  return counts;
}

}  // namespace stock::layers
