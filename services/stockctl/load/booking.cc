#include "stockctl/load/booking.h"

#include <utility>

namespace stockctl {
namespace {

constexpr std::size_t kMaxLines = 1'000;

}  // namespace

std::vector<Booking> bookings_of(const Sales& sales) {
  std::vector<Booking> bookings;
  const std::span<const SalesLine> lines(sales.lines);
  std::size_t first = 0;
  for (std::size_t i = 1; i <= lines.size(); ++i) {
    const bool goes_on = i < lines.size() && i - first < kMaxLines &&
                         lines[i].invoice == lines[first].invoice &&
                         (lines[i].quantity < 0) == (lines[first].quantity < 0);
    if (goes_on) continue;
    bookings.push_back({.lines = lines.subspan(first, i - first)});
    first = i;
  }
  return bookings;
}

BookingOrder::BookingOrder(std::span<const Booking> bookings, std::size_t keys)
    : bookings_(bookings),
      keys_(keys),
      waits_for_(bookings.size()),
      behind_(bookings.size()),
      ended_(bookings.size()) {}

bool BookingOrder::begin(std::uint32_t booking) {
  const bool brings_back = bookings_[booking].brings_back();
  for (const SalesLine& line : bookings_[booking].lines) {
    KeyState& key = keys_[line.key];
    wait(booking, key.brought_back);
    if (!brings_back) {
      key.sales.push_back(booking);
      continue;
    }
    for (const std::uint32_t sale : std::exchange(key.sales, {})) wait(booking, sale);
    key.brought_back = booking;
  }
  return waits_for_[booking] == 0;
}

void BookingOrder::wait(std::uint32_t later, std::uint32_t earlier) {
  if (earlier == kNone || earlier == later || ended_[earlier]) return;
  behind_[earlier].push_back(later);
  ++waits_for_[later];
}

std::vector<std::uint32_t> BookingOrder::end(std::uint32_t booking) {
  ended_[booking] = true;
  std::vector<std::uint32_t> free;
  for (const std::uint32_t later : std::exchange(behind_[booking], {})) {
    if (--waits_for_[later] == 0) free.push_back(later);
  }
  return free;
}

}  // namespace stockctl
