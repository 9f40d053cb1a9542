// How many requests may wait for a backend, found by how long they wait: overload is refused at the
// door, early and cheaply, and not served late.
//
// The sign of overload is CoDel's (Nichols and Jacobson, "Controlling Queue Delay", ACM Queue
// 2012): the *shortest* wait of an interval. A burst, or one slow request, makes some wait; only a
// queue that stands makes all wait. What follows from it is the gradient of Netflix's
// concurrency-limits: after an interval in which even the shortest wait was above the target, the
// limit shrinks by target / wait, at most by half; else it grows by an eighth, or twofold while
// waits are short. So the wait settles around the target whatever the backend's rate, which nobody
// has to know.
//
// It never falls below the floor: a batch. What fits into the next batch waits for nothing but the
// one under way, and refusing it would make batches smaller and the backend slower.
//
// Pure, with the time as an argument. Not thread-safe: it belongs to what guards the queue.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>

#include "stock/domain/time.h"

namespace stock::admission {

class AdaptiveLimit {
 public:
  struct Options {
    // How long requests may wait.
    std::chrono::nanoseconds target = std::chrono::milliseconds(100);
    std::chrono::nanoseconds interval = std::chrono::milliseconds(100);
    std::size_t floor = 256;     // at least 1
    std::size_t ceiling = 4096;  // where it begins; the floor is lowered to it
  };

  explicit AdaptiveLimit(const Options& options);

  // Whether one more may wait behind `waiting` others, of which the first has waited since `oldest`
  // (any instant when there is none).
  bool admits(std::size_t waiting, domain::LocalTime oldest, domain::LocalTime now);

  // Some of the `waiting` were taken out of the queue, the last of which had waited so long.
  void took(std::size_t waiting, std::chrono::nanoseconds waited, domain::LocalTime now);

  // Requests that may wait.
  [[nodiscard]] std::size_t limit() const { return limit_; }
  [[nodiscard]] bool at_ceiling() const { return limit_ == options_.ceiling; }

 private:
  void adapt(std::chrono::nanoseconds wait, std::size_t waiting, domain::LocalTime now);

  const Options options_;
  std::size_t limit_;
  std::optional<domain::LocalTime> began_;            // the interval
  std::optional<std::chrono::nanoseconds> shortest_;  // wait of those that were taken in it
};

}  // namespace stock::admission
