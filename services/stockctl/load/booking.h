#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "stockctl/files/sales_file.h"

namespace stockctl {

// What is booked at once: the lines of an invoice that sell, or those that bring stock back; of an
// invoice of more than 1,000, which is what a request takes, a thousand at a time.
struct Booking {
  std::span<const SalesLine> lines;

  bool brings_back() const { return lines.front().quantity < 0; }
};

// Those of `sales`, in its order; they point into it.
std::vector<Booking> bookings_of(const Sales& sales);

// Lets bookings overtake each other where it does not matter. Sales of a key may be in any order.
// What brings stock back waits for the sales before it, which may be what it cancels, and the sales
// after it wait for it, since they may need what it brings. Bookings are numbers. One thread.
class BookingOrder {
 public:
  BookingOrder(std::span<const Booking> bookings, std::size_t keys);

  // The bookings begin in order. True when this one may begin now; else end() will tell.
  bool begin(std::uint32_t booking);

  // Those that may begin now that `booking` has ended.
  std::vector<std::uint32_t> end(std::uint32_t booking);

 private:
  static constexpr std::uint32_t kNone = 0xffffffff;

  struct KeyState {
    // The last to bring stock back, and the sales since then.
    std::uint32_t brought_back = kNone;
    std::vector<std::uint32_t> sales;
  };

  // `later` waits for `earlier`, unless that has ended.
  void wait(std::uint32_t later, std::uint32_t earlier);

  const std::span<const Booking> bookings_;
  std::vector<KeyState> keys_;
  // Of each booking: for how many it waits, which wait for it, and whether it has ended.
  std::vector<std::uint32_t> waits_for_;
  std::vector<std::vector<std::uint32_t>> behind_;
  std::vector<bool> ended_;
};

}  // namespace stockctl
