#include "stock/domain/reservation.h"

#include <array>

namespace stock::domain {
namespace {

constexpr std::array<std::string_view, kReservationStates> kStates = {
    "HELD", "COMMITTED", "FULFILLED", "RELEASED", "EXPIRED"};

}  // namespace

std::string_view state_name(ReservationState state) {
  return kStates[static_cast<std::size_t>(state)];
}

std::optional<ReservationState> parse_state(std::string_view name) {
  for (std::size_t i = 0; i < kStates.size(); ++i) {
    if (kStates[i] == name) return static_cast<ReservationState>(i);
  }
  return std::nullopt;
}

}  // namespace stock::domain
