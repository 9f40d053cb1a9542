#include "stock/postgres/ledger_history.h"

#include <string>

#include "stock/postgres/array_literal.h"
#include "stock/postgres/connection.h"
#include "stock/postgres/rows.h"
#include "stock/postgres/sql.h"

namespace stock::postgres {
namespace {

std::vector<std::string> parameters(std::span<const drift::HistoryQuestion> questions) {
  ArrayLiteral skus;
  ArrayLiteral locations;
  ArrayLiteral wanted_positions;
  ArrayLiteral wanted_skus;
  ArrayLiteral wanted_locations;
  ArrayLiteral wanted_versions;
  std::int64_t position = 0;
  for (const auto& [key, versions] : questions) {
    ++position;
    skus.add(key.sku);
    locations.add(key.location);
    for (const domain::Version version : versions) {
      wanted_positions.add(position);
      wanted_skus.add(key.sku);
      wanted_locations.add(key.location);
      wanted_versions.add(version);
    }
  }
  return {skus.take(),        locations.take(),        wanted_positions.take(),
          wanted_skus.take(), wanted_locations.take(), wanted_versions.take()};
}

}  // namespace

absl::StatusOr<std::vector<drift::KeyHistory>> LedgerHistory::histories(
    std::span<const drift::HistoryQuestion> questions) {
  std::vector<drift::KeyHistory> histories(questions.size());
  const absl::Status status = asker_.ask(
      session_, sql::histories(), parameters(questions),
      [&](const Dating& dating, const pqxx::result& rows) {
        for (drift::KeyHistory& history : histories) history.incarnation = dating.incarnation;
        for (const pqxx::row& row : rows) {
          const std::int64_t position = number(row[0]);
          if (position == 0) continue;
          drift::KeyHistory& history = histories[static_cast<std::size_t>(position - 1)];
          const domain::Version version = number(row[2]);
          const drift::VersionFact fact{
              .exists = flag(row[3]), .counts = counts(row, 5), .committed_at = time(row[4])};
          if (flag(row[1])) {
            history.newest = version;
            history.current = fact;
          } else {
            history.versions.emplace(version, fact);
          }
        }
      });
  if (!status.ok()) return status;
  return histories;
}

absl::StatusOr<std::vector<domain::Key>> LedgerHistory::keys_after(const domain::Key& after,
                                                                   int limit) {
  std::vector<domain::Key> keys;
  const absl::Status status =
      asker_.ask(session_, sql::keys_after(), {after.sku, after.location, std::to_string(limit)},
                 [&](const Dating&, const pqxx::result& rows) {
                   for (const pqxx::row& row : rows) {
                     if (number(row[0]) > 0) keys.push_back(key(row, 7));
                   }
                 });
  if (!status.ok()) return status;
  return keys;
}

}  // namespace stock::postgres
