// Values of the domain: out of result rows, and into parameters.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "stock/domain/key.h"
#include "stock/domain/movement.h"
#include "stock/domain/reading.h"
#include "stock/domain/reservation.h"
#include "stock/postgres/array_literal.h"
#include "stock/postgres/asker.h"
#include "stock/postgres/connection.h"

namespace stock::postgres {

// Of a row that has it, just before its two NULLs; the epoch where it is NULL.
inline domain::DatabaseTime earliest_expiry(const pqxx::row& row) {
  return time(row[row.size() - 3]);
}

// exists, version, as_of, five counts; the earliest expiry is to be added. A snapshot may show what
// was committed after the stamp that it is dated by; such a version was not true at the stamp yet,
// but it was when it was committed. Unless that instant has not come yet: then the clock was set
// back since, and it is of another time.
inline domain::Reading reading(Fields& fields, const Dating& dating) {
  const bool exists = fields.flag();
  const domain::Version version = fields.number();
  const domain::DatabaseTime as_of = fields.time();
  return {.exists = exists,
          .version = version,
          .counts = fields.counts(),
          .earliest_expiry = {},
          .as_of = as_of,
          .true_through =
              as_of <= dating.clock ? std::max(dating.true_through, as_of) : dating.true_through,
          .incarnation = dating.incarnation,
          .heartbeat = dating.heartbeat,
          .confirmed_at = {},
          .confirmed_within = {},
          .layer = {}};
}

// Of a whole row: position, the same, ..., earliest expiry, two NULLs.
inline domain::Reading reading(const pqxx::row& row, const Dating& dating) {
  Fields fields(row);
  fields.skip(1);
  domain::Reading reading = postgres::reading(fields, dating);
  reading.earliest_expiry = earliest_expiry(row);
  return reading;
}

inline domain::Key key(const pqxx::row& row, int first) {
  return {std::string(text(row[first])), std::string(text(row[first + 1]))};
}

// position, version, committed at, five deltas, five counts, is deleted, kind, reason, reference,
// actor, request, reservation
domain::Movement movement(const domain::Key& key, const pqxx::row& row);

// A row for each line, those of a reservation one after the other; see sql::reservations().
std::vector<domain::Reservation> read_reservations(const pqxx::result& rows, int first = 0);

// Two parameters: all SKUs, and all locations.
inline std::vector<std::string> columns(std::span<const domain::Key> keys) {
  ArrayLiteral skus;
  ArrayLiteral locations;
  for (const domain::Key& key : keys) {
    skus.add(key.sku);
    locations.add(key.location);
  }
  return {skus.take(), locations.take()};
}

}  // namespace stock::postgres
