// Some of the keys that are being read, spread over all reads between two takings, whatever the
// traffic: every key when there is little of it.
//
// Any thread notes, without waiting: it counts, and every n-th key is copied, or lost where
// somebody else is at the inbox. Counting is not exact where threads meet, which does not matter.
// One thread takes, and n follows the traffic since it did so last; before the first time nothing
// is kept. The clock outlives this.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "stock/clock/local_clock.h"
#include "stock/drift/key_inbox.h"

namespace stock::drift {

class ReadSample {
 public:
  // About `wanted` keys between two takings.
  ReadSample(std::size_t wanted, const clock::LocalClock& clock)
      : wanted_(wanted), clock_(clock), inbox_(2 * wanted) {}

  void note(std::span<const domain::Key> keys) {
    const std::uint64_t before = read_.load(std::memory_order_relaxed);
    const std::uint64_t after = before + keys.size();
    read_.store(after, std::memory_order_relaxed);
    std::uint64_t next = next_.load(std::memory_order_relaxed);
    if (next > after) return;
    const domain::LocalTime now = clock_.now();
    const std::uint64_t stride = stride_.load(std::memory_order_relaxed);
    for (next = std::max(next, before + 1); next <= after; next += stride) {
      inbox_.try_put(keys[next - before - 1], now);
    }
    next_.store(next, std::memory_order_relaxed);
  }

  [[nodiscard]] std::vector<NotedKey> take() {
    const std::uint64_t read = read_.load(std::memory_order_relaxed);
    const std::uint64_t since = read - taken_at_;
    taken_at_ = read;
    // Odd, so that it does not keep step with batches of even sizes.
    const std::uint64_t stride = (since / wanted_) | 1;
    stride_.store(stride, std::memory_order_relaxed);
    next_.store(std::min(next_.load(std::memory_order_relaxed), read + stride),
                std::memory_order_relaxed);
    return inbox_.take();
  }

 private:
  const std::size_t wanted_;
  const clock::LocalClock& clock_;
  std::atomic<std::uint64_t> read_{0};
  std::atomic<std::uint64_t> next_{std::numeric_limits<std::uint64_t>::max()};
  std::atomic<std::uint64_t> stride_{1};
  std::uint64_t taken_at_ = 0;  // the taker's
  KeyInbox inbox_;
};

}  // namespace stock::drift
