#include "stock/postgres/rows.h"

namespace stock::postgres {

domain::Movement movement(const domain::Key& key, const pqxx::row& row) {
  return {.key = key,
          .version = number(row[1]),
          .kind = domain::parse_kind(text(row[14])).value_or(domain::MovementKind::kDirect),
          .delta = counts(row, 3),
          .after = counts(row, 8),
          .deleted = flag(row[13]),
          .committed_at = time(row[2]),
          .reason = std::string(text(row[15])),
          .reference = std::string(text(row[16])),
          .actor = std::string(text(row[17])),
          .request = domain::parse_uuid(text(row[18])),
          .reservation = domain::parse_uuid(text(row[19]))};
}

std::vector<domain::Reservation> read_reservations(const pqxx::result& rows, int first) {
  std::vector<domain::Reservation> reservations;
  for (const pqxx::row& row : rows) {
    const auto id = domain::parse_uuid(text(row[first]));
    if (!id) continue;  // none of the rows that a reservation has
    if (reservations.empty() || reservations.back().id != *id) {
      reservations.push_back({.id = *id,
                              .state = domain::parse_state(text(row[first + 1]))
                                           .value_or(domain::ReservationState::kReleased),
                              .revision = number(row[first + 2]),
                              .created_at = time(row[first + 3]),
                              .updated_at = time(row[first + 4]),
                              .expire_at = time(row[first + 5]),
                              .reference = std::string(text(row[first + 6])),
                              .actor = std::string(text(row[first + 7])),
                              .lines = {}});
    }
    reservations.back().lines.push_back({.key = key(row, first + 8),
                                         .quantity = number(row[first + 10]),
                                         .fulfilled = number(row[first + 11]),
                                         .expired = flag(row[first + 12])});
  }
  return reservations;
}

}  // namespace stock::postgres
