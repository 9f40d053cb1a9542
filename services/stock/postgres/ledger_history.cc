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

// The rest of a row of sql::histories(), behind its position.
void read_version(Fields& fields, drift::KeyHistory& history) {
  const bool is_newest = fields.flag();
  const domain::Version version = fields.number();
  drift::VersionFact fact;
  fact.exists = fields.flag();
  fact.committed_at = fields.time();
  fact.counts = fields.counts();
  const pqxx::field& oldest = fields.next();
  if (is_newest && !oldest.is_null()) history.oldest = number(oldest);
  const auto xid = static_cast<domain::Xid>(fields.number());
  if (xid > kForeignXid) fact.xid = xid;
  if (const pqxx::field& seen_by = fields.next(); !seen_by.is_null()) fact.seen_by = time(seen_by);
  if (const pqxx::field& shown_by = fields.next(); !shown_by.is_null()) {
    fact.shown_by = number(shown_by);
  }
  fact.is_new = fields.flag();
  fact.written_at = fields.time();
  fact.earliest_expiry = fields.time();
  if (!is_newest) {
    history.versions.emplace(version, fact);
    return;
  }
  history.newest = version;
  history.current = fact;
}

// The same of sql::newest_versions().
void read_newest(Fields& fields, drift::KeyHistory& history) {
  drift::VersionFact& newest = history.current;
  newest.exists = fields.flag();
  history.newest = fields.number();
  newest.committed_at = fields.time();
  newest.counts = fields.counts();
  newest.earliest_expiry = fields.time();
}

}  // namespace

absl::StatusOr<std::vector<drift::KeyHistory>> LedgerHistory::histories(
    std::span<const drift::HistoryQuestion> questions) {
  return ask(sql::histories(), parameters(questions), questions.size(), read_version);
}

absl::StatusOr<std::vector<drift::KeyHistory>> LedgerHistory::newest(
    std::span<const domain::Key> keys) {
  return ask(sql::newest_versions(), columns(keys), keys.size(), read_newest);
}

// `read`: the rest of a row, behind the position of its key.
absl::StatusOr<std::vector<drift::KeyHistory>> LedgerHistory::ask(
    const Statement& statement, const std::vector<std::string>& parameters, std::size_t keys,
    ReadRow read) {
  std::vector<drift::KeyHistory> histories(keys);
  const absl::Status status = asker_.ask(
      session_, statement, parameters, [&](const Dating& dating, const pqxx::result& rows) {
        for (drift::KeyHistory& history : histories) {
          history.incarnation = dating.incarnation;
          history.heartbeat = dating.heartbeat;
          history.shows = dating.shows;
        }
        for (const pqxx::row& row : rows) {
          Fields fields(row);
          const std::int64_t position = fields.number();
          if (position > 0) read(fields, histories[static_cast<std::size_t>(position - 1)]);
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
