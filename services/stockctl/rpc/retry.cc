#include "stockctl/rpc/retry.h"

#include <algorithm>

#include "stockctl/rpc/error_details.h"

namespace stockctl {
namespace {

constexpr std::chrono::nanoseconds kMaxWait = std::chrono::seconds(2);

}  // namespace

bool worth_retrying(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsResourceExhausted(status) ||
         absl::IsDeadlineExceeded(status);
}

std::optional<std::chrono::nanoseconds> Backoff::after(const absl::Status& status,
                                                       Clock::time_point now, double chance) {
  if (!worth_retrying(status)) return std::nullopt;
  if (!first_failure_) first_failure_ = now;
  const std::chrono::duration<double, std::nano> spread = wait_ * (1 - chance / 2);
  auto wait = std::chrono::duration_cast<std::chrono::nanoseconds>(spread);
  wait = std::max(wait, details_of(status).retry_delay.value_or(wait));
  if (now + wait > *first_failure_ + give_up_after_) return std::nullopt;
  wait_ = std::min(wait_ * 2, kMaxWait);
  return wait;
}

}  // namespace stockctl
