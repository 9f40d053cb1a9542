#pragma once

#include <chrono>
#include <optional>

#include "absl/status/status.h"

namespace stockctl {

// Whether the same request may succeed later: the server was not there, was too busy, or did not
// answer in time. Only for requests that can be repeated, which a write with a request_id is.
bool worth_retrying(const absl::Status& status);

// How long to wait between tries of one request: twice as long each time up to a cap, less up to a
// half by chance, so that many requests do not come back together; but not less than the server
// asks for. Gives up some time after the first failure.
class Backoff {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Backoff(std::chrono::nanoseconds give_up_after) : give_up_after_(give_up_after) {}

  // The wait after a try that failed with `status`, or nothing when there should be no other.
  // `chance` is evenly spread over [0, 1).
  std::optional<std::chrono::nanoseconds> after(const absl::Status& status, Clock::time_point now,
                                                double chance);

 private:
  std::chrono::nanoseconds give_up_after_;
  std::chrono::nanoseconds wait_ = std::chrono::milliseconds(50);
  std::optional<Clock::time_point> first_failure_;
};

}  // namespace stockctl
