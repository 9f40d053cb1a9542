// Calls something at an instant, unless cancelled before: deadlines of reads, mostly.
#pragma once

#include <cstdint>

#include "absl/functional/any_invocable.h"
#include "stock/domain/time.h"

namespace stock::clock {

// Thread-safe.
class Timers {
 public:
  using Id = std::uint64_t;

  virtual ~Timers() = default;
  // Calls `action` once, at `when` or soon after, on a thread of the timers: it must be short and
  // must not block. It may add and cancel timers.
  virtual Id at(domain::LocalTime when, absl::AnyInvocable<void()> action) = 0;
  // Afterwards the action does not start any more; it may just be running.
  virtual void cancel(Id id) = 0;
  // Waits until no action is running that ran at the time of the call. For destructors, after
  // cancel(); not from an action, and not under a lock that an action takes.
  virtual void drain() = 0;
};

}  // namespace stock::clock
