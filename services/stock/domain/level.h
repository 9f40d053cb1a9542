// The counts of one key.
#pragma once

#include <cstdint>

namespace stock::domain {

// Counts a key's movements: 1, 2, 3... without gaps. 0: there never was one.
using Version = std::int64_t;

// No count exceeds this, so that sums of a level's counts cannot overflow.
inline constexpr std::int64_t kMaxCount = 1'000'000'000'000'000;

struct Counts {
  std::int64_t on_hand = 0;
  std::int64_t reserved = 0;   // held for reservations that expire
  std::int64_t committed = 0;  // sold, not yet shipped
  std::int64_t safety_stock = 0;
  std::int64_t backorder_limit = 0;

  // What can still be promised from stock; negative when more is promised than there is. This is
  // the one place where it is computed.
  [[nodiscard]] std::int64_t available() const {
    return on_hand - reserved - committed - safety_stock;
  }

  // What can still be sold, backorders included. Never negative.
  [[nodiscard]] std::int64_t sellable() const {
    const std::int64_t units = available() + backorder_limit;
    return units > 0 ? units : 0;
  }

  friend bool operator==(const Counts&, const Counts&) = default;
};

// Every count within 0 and kMaxCount.
[[nodiscard]] bool in_range(const Counts& counts);

// a - b, count by count: a movement's deltas.
[[nodiscard]] Counts difference(const Counts& a, const Counts& b);

}  // namespace stock::domain
