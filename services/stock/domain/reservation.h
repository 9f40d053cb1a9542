// A reservation: units of several levels that belong to one order, from the hold to the shipment.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stock/domain/key.h"
#include "stock/domain/movement.h"
#include "stock/domain/time.h"

namespace stock::domain {

enum class ReservationState : std::uint8_t {
  kHeld,       // its units are `reserved`, until it expires
  kCommitted,  // sold: what is not shipped yet is `committed`
  kFulfilled,  // all shipped
  kReleased,   // given back, or cancelled after it was sold; what was shipped stays shipped
  kExpired,    // held for too long
};
inline constexpr std::size_t kReservationStates = 5;

// As stored: "HELD", "COMMITTED"...
std::string_view state_name(ReservationState state);
std::optional<ReservationState> parse_state(std::string_view name);

struct ReservationLine {
  Key key;
  std::int64_t quantity = 0;   // at least 1
  std::int64_t fulfilled = 0;  // shipped, up to `quantity`
  // Its units went back because the hold had ended. A hold ends line by line, as the levels are
  // needed.
  bool expired = false;

  friend bool operator==(const ReservationLine&, const ReservationLine&) = default;
};

struct Reservation {
  Uuid id{};
  ReservationState state = ReservationState::kHeld;
  std::int64_t revision = 0;  // counts its changes: 1, 2, 3...
  DatabaseTime created_at;
  DatabaseTime updated_at;
  DatabaseTime expire_at;  // meaningless once it is no longer held
  std::string reference;
  std::string actor;
  std::vector<ReservationLine> lines;  // one per key, in order of key

  // A hold whose time is over at `now`, whether its units have gone back already or not. It does
  // not come back to life when the clock is set back.
  [[nodiscard]] bool ended(DatabaseTime now) const {
    return state == ReservationState::kHeld &&
           (expire_at <= now ||
            std::any_of(lines.begin(), lines.end(),
                        [](const ReservationLine& line) { return line.expired; }));
  }

  friend bool operator==(const Reservation&, const Reservation&) = default;
};

}  // namespace stock::domain
