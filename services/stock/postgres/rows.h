// Values of the domain: out of result rows, and into parameters.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "stock/domain/key.h"
#include "stock/domain/movement.h"
#include "stock/domain/reading.h"
#include "stock/postgres/array_literal.h"
#include "stock/postgres/asker.h"
#include "stock/postgres/connection.h"

namespace stock::postgres {

// position, exists, version, as_of, five counts. A snapshot may show what was committed after the
// stamp that it is dated by; such a version was not true at the stamp yet, but it was when it was
// committed. Unless that instant has not come yet: then the clock was set back since, and it is of
// another time.
inline domain::Reading reading(const pqxx::row& row, const Dating& dating) {
  return {.exists = flag(row[1]),
          .version = number(row[2]),
          .counts = counts(row, 4),
          .as_of = time(row[3]),
          .true_through = time(row[3]) <= dating.clock ? std::max(dating.true_through, time(row[3]))
                                                       : dating.true_through,
          .incarnation = dating.incarnation,
          .heartbeat = dating.heartbeat,
          .confirmed_at = {},
          .confirmed_within = {},
          .layer = {}};
}

inline domain::Key key(const pqxx::row& row, int first) {
  return {std::string(text(row[first])), std::string(text(row[first + 1]))};
}

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
