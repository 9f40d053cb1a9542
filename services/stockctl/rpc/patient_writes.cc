#include "stockctl/rpc/patient_writes.h"

#include <algorithm>

namespace stockctl {

std::optional<WriteAnswer> PatientWrites::wait(std::chrono::nanoseconds time) {
  Clock::time_point now = Clock::now();
  for (; !retries_.empty() && retries_.top().at <= now; retries_.pop()) start(retries_.top().tag);
  if (!retries_.empty()) {
    time = std::min<std::chrono::nanoseconds>(time, retries_.top().at - now);
  }
  std::optional<WriteAnswer> answer = pipeline_.wait(time);
  if (!answer) return std::nullopt;
  if (!answer->response.ok() && trying_) {
    Backoff& backoff = backoffs_.try_emplace(answer->tag, retry_for_).first->second;
    const double chance = std::uniform_real_distribution<>()(random_);
    now = Clock::now();
    if (const auto pause = backoff.after(answer->response.status(), now, chance)) {
      retries_.push({.at = now + *pause, .tag = answer->tag});
      ++retried_;
      return std::nullopt;
    }
  }
  backoffs_.erase(answer->tag);
  return answer;
}

void PatientWrites::stop_trying() {
  trying_ = false;
  retries_ = {};
}

}  // namespace stockctl
