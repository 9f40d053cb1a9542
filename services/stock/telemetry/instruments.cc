#include "stock/telemetry/instruments.h"

#include <bit>
#include <cmath>
#include <numeric>
#include <utility>

namespace stock::telemetry {
namespace {

double as_double(std::uint64_t bits) { return std::bit_cast<double>(bits); }
std::uint64_t as_bits(double value) { return std::bit_cast<std::uint64_t>(value); }

}  // namespace

std::int64_t Counter::value() const {
  std::int64_t sum = 0;
  for (const Cell& cell : cells_) {
    sum += cell.count.load(std::memory_order_relaxed);
  }
  return sum;
}

Histogram::Histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)),
      lines_per_slot_((1 + bounds_.size() + 1 + Line::kWords - 1) / Line::kWords),
      lines_(std::make_unique<Line[]>(lines_per_slot_ * kThreadSlots)) {}

void Histogram::observe(double value, std::int64_t times) {
  if (std::isnan(value)) {
    return;
  }
  // A count of the bounds below `value` is its bucket. With a dozen bounds this beats a binary
  // search, whose branches are mispredicted.
  std::size_t bucket = 0;
  for (const double bound : bounds_) {
    bucket += value > bound ? 1 : 0;
  }
  const int slot = thread_slot();
  std::atomic<std::uint64_t>& count = word(slot, 1 + bucket);
  std::atomic<std::uint64_t>& sum = word(slot, 0);
  std::uint64_t before = sum.load(std::memory_order_relaxed);
  const double more = value * static_cast<double>(times);
  const auto n = static_cast<std::uint64_t>(times);
  if (slot != kSharedSlot) [[likely]] {
    count.store(count.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    sum.store(as_bits(as_double(before) + more), std::memory_order_relaxed);
    return;
  }
  count.fetch_add(n, std::memory_order_relaxed);
  while (!sum.compare_exchange_weak(before, as_bits(as_double(before) + more),
                                    std::memory_order_relaxed)) {
  }
}

Histogram::Snapshot Histogram::snapshot() const {
  Snapshot snapshot{.buckets = std::vector<std::uint64_t>(bounds_.size() + 1), .sum = 0};
  for (int slot = 0; slot < kThreadSlots; ++slot) {
    snapshot.sum += as_double(word(slot, 0).load(std::memory_order_relaxed));
    for (std::size_t bucket = 0; bucket < snapshot.buckets.size(); ++bucket) {
      snapshot.buckets[bucket] += word(slot, 1 + bucket).load(std::memory_order_relaxed);
    }
  }
  return snapshot;
}

std::optional<double> Histogram::quantile(double q) const {
  const std::vector<std::uint64_t> buckets = snapshot().buckets;
  const auto total =
      static_cast<double>(std::accumulate(buckets.begin(), buckets.end(), std::uint64_t{0}));
  if (total == 0) return std::nullopt;
  double below = 0;
  for (std::size_t i = 0; i < bounds_.size(); ++i) {
    const auto in_bucket = static_cast<double>(buckets[i]);
    if (in_bucket > 0 && below + in_bucket >= q * total) {
      const double lower = i == 0 ? 0 : bounds_[i - 1];
      return lower + (bounds_[i] - lower) * (q * total - below) / in_bucket;
    }
    below += in_bucket;
  }
  return bounds_.back();
}

}  // namespace stock::telemetry
