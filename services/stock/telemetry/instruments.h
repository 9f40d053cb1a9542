#pragma once

// What the rest of the program counts with: Counter, Gauge, Histogram.
//
// Made and owned by Metrics (metrics.h); references stay valid as long as it. Any thread may write
// and read at any time. Counters and histograms keep one cell per thread slot, each on cache lines
// of its own, and add the cells up when read: 1 to 2 ns per increment however many threads count.
// They are separate from prometheus-cpp's because those take a lock or a compare-and-swap loop.

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "stock/telemetry/thread_slot.h"

namespace stock::telemetry {

inline constexpr std::size_t kCacheLine = 64;

class Counter {
 public:
  // `n` must not be negative: a counter only rises.
  void add(std::int64_t n = 1) {
    const int slot = thread_slot();
    std::atomic<std::int64_t>& cell = cells_[slot].count;
    if (slot != kSharedSlot) [[likely]] {
      cell.store(cell.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    } else {
      cell.fetch_add(n, std::memory_order_relaxed);
    }
  }

  std::int64_t value() const;

 private:
  struct alignas(kCacheLine) Cell {
    std::atomic<std::int64_t> count{0};
  };
  std::array<Cell, kThreadSlots> cells_;
};

class Gauge {
 public:
  void set(double value) { value_.store(value, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

class Histogram {
 public:
  struct Snapshot {
    std::vector<std::uint64_t> buckets;  // per bound, not cumulative; the last is beyond all bounds
    double sum = 0;
  };

  // `bounds`: inclusive upper bounds, finite and strictly rising.
  explicit Histogram(std::vector<double> bounds);

  // NaN is not an observation and is left out: it would spoil the sum for good.
  // `times`: as many observations of the same value.
  void observe(double value, std::int64_t times = 1);
  // In seconds, the base unit of every duration that is exported.
  void observe(std::chrono::nanoseconds duration, std::int64_t times = 1) {
    observe(std::chrono::duration<double>(duration).count(), times);
  }

  const std::vector<double>& bounds() const { return bounds_; }
  Snapshot snapshot() const;
  // The value below which the share `q`, above 0 and at most 1, of all observations lies: exact at
  // the bounds, interpolated between them as Prometheus does; the last bound if it is beyond that.
  // Nothing without observations.
  std::optional<double> quantile(double q) const;

 private:
  // The first word of a slot holds the bits of its sum (a double), the others its buckets.
  struct alignas(kCacheLine) Line {
    static constexpr std::size_t kWords = kCacheLine / sizeof(std::uint64_t);
    std::array<std::atomic<std::uint64_t>, kWords> words{};
  };

  std::atomic<std::uint64_t>& word(int slot, std::size_t index) const {
    return lines_[slot * lines_per_slot_ + index / Line::kWords].words[index % Line::kWords];
  }

  const std::vector<double> bounds_;
  const std::size_t lines_per_slot_;
  const std::unique_ptr<Line[]> lines_;
};

}  // namespace stock::telemetry
