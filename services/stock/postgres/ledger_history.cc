#include "stock/postgres/ledger_history.h"

#include <string>

#include "stock/postgres/array_literal.h"
#include "stock/postgres/connection.h"
#include "stock/postgres/rows.h"
#include "stock/postgres/sql.h"

namespace stock::postgres {
namespace {

// The transaction that all movements of an adopted ledger carry.
constexpr domain::Xid kForeignXid = 3;

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

drift::VersionFact version_fact(const pqxx::row& row) {
  drift::VersionFact fact{
      .exists = flag(row[3]), .counts = counts(row, 5), .committed_at = time(row[4])};
  const auto xid = static_cast<domain::Xid>(number(row[11]));
  if (xid > kForeignXid) fact.xid = xid;
  if (!row[12].is_null()) fact.seen_by = time(row[12]);
  if (!row[13].is_null()) fact.shown_by = number(row[13]);
  fact.is_new = !row[14].is_null() && flag(row[14]);
  fact.written_at = time(row[15]);
  fact.earliest_expiry = time(row[16]);
  return fact;
}

}  // namespace

absl::StatusOr<std::vector<drift::KeyHistory>> LedgerHistory::histories(
    std::span<const drift::HistoryQuestion> questions) {
  return ask(sql::histories(), parameters(questions), questions.size());
}

absl::StatusOr<std::vector<drift::KeyHistory>> LedgerHistory::newest(
    std::span<const domain::Key> keys) {
  return ask(sql::newest_versions(), columns(keys), keys.size());
}

absl::StatusOr<std::vector<drift::KeyHistory>> LedgerHistory::ask(
    const Statement& statement, const std::vector<std::string>& parameters, std::size_t keys) {
  std::vector<drift::KeyHistory> histories(keys);
  const absl::Status status = asker_.ask(
      session_, statement, parameters, [&](const Dating& dating, const pqxx::result& rows) {
        for (drift::KeyHistory& history : histories) {
          history.incarnation = dating.incarnation;
          history.heartbeat = dating.heartbeat;
          history.shows = dating.shows;
        }
        for (const pqxx::row& row : rows) {
          const std::int64_t position = number(row[0]);
          if (position == 0) continue;
          drift::KeyHistory& history = histories[static_cast<std::size_t>(position - 1)];
          const domain::Version version = number(row[2]);
          const drift::VersionFact fact = version_fact(row);
          if (flag(row[1])) {
            history.newest = version;
            if (!row[10].is_null()) history.oldest = number(row[10]);
            history.current = fact;
          } else {
            history.versions.emplace(version, fact);
          }
        }
      });
  if (!status.ok()) return status;
  if (!histories.empty() && identity_.clock_set_in() == histories.front().incarnation) {
    return absl::UnavailableError("the database's clock was set: another incarnation is to begin");
  }
  return histories;
}

absl::StatusOr<std::vector<domain::Xid>> LedgerHistory::writers() {
  std::vector<domain::Xid> writers;
  const absl::Status status = session_.run([&](Connection& connection) {
    pqxx::nontransaction transaction(connection.pq());
    for (const pqxx::row& row : connection.exec(transaction, sql::writers())) {
      writers.push_back(static_cast<domain::Xid>(number(row[0])));
    }
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return writers;
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
