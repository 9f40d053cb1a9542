#pragma once

// Which cell of a metric the calling thread writes.
//
// A slot is an attribute of a thread, like its id: the first metric that a thread touches claims
// one, and the thread's exit gives it back. What was counted stays in the cells; the next thread
// goes on from there. While a thread owns a slot it is the only writer of that cell in every
// metric, so an increment needs no read-modify-write. Threads beyond kOwnedSlots, and threads that
// are past their last breath (thread_local destructors), share one more slot, atomically.

namespace stock::telemetry {

inline constexpr int kOwnedSlots = 32;
inline constexpr int kSharedSlot = kOwnedSlots;
inline constexpr int kThreadSlots = kOwnedSlots + 1;

namespace internal {

// Negative until the thread's first use. Constant-initialized, so that reading it costs one load.
inline constinit thread_local int thread_slot = -1;

int claim_thread_slot();

}  // namespace internal

inline int thread_slot() {
  const int slot = internal::thread_slot;
  if (slot >= 0) [[likely]] {
    return slot;
  }
  return internal::claim_thread_slot();
}

}  // namespace stock::telemetry
