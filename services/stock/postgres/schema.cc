#include "stock/postgres/schema.h"

#include <fmt/format.h>

#include "stock/postgres/connection.h"
#include "stock/postgres/sql.h"

namespace stock::postgres {
namespace {

constexpr std::string_view kMigrate =
    "Bring the schema up to date: deploy/local/migrate PORT on this machine, or sql-migrate up "
    "with "
    "deploy/postgres/dbconfig.yml.";
constexpr std::string_view kUpgrade = "Start a program that is as new as the schema.";

absl::Status mismatch(std::string_view found, std::string_view what_to_do) {
  return absl::FailedPreconditionError(
      fmt::format("the database's newest migration is {}; this program was built for {}. {}", found,
                  kExpectedMigration, what_to_do));
}

}  // namespace

absl::Status check_schema(Session& session) {
  std::string found;
  const absl::Status status = session.run([&](Connection& connection) {
    pqxx::nontransaction transaction(connection.pq());
    for (const pqxx::row& row : connection.exec(transaction, sql::newest_migration())) {
      found = text(row[0]);
    }
    return absl::OkStatus();
  });
  // Without the table there was no migration; without the right to read it, no grant to this role.
  if (absl::IsFailedPrecondition(status)) {
    return mismatch(fmt::format("unknown ({})", std::string(status.message())), kMigrate);
  }
  if (!status.ok() || found == kExpectedMigration) return status;
  if (found.empty()) return mismatch("none", kMigrate);
  return mismatch(found, found < kExpectedMigration ? kMigrate : kUpgrade);
}

absl::Status check_database(Session& session, feed::LedgerIdentity& identity) {
  if (absl::Status status = check_schema(session); !status.ok()) return status;
  std::int64_t ledger = 0;
  bool at_home = false;
  absl::Status status = session.run([&](Connection& connection) {
    pqxx::nontransaction transaction(connection.pq());
    for (const pqxx::row& row : connection.exec(transaction, sql::ledger_home())) {
      ledger = number(row[0]);
      at_home = flag(row[1]);
    }
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  if (ledger == 0) {
    return absl::FailedPreconditionError(
        "the table stock.ledger is empty: whose ledger this is cannot be told. Restore its row.");
  }
  if (!at_home) {
    return absl::FailedPreconditionError(
        "the ledger in this database was written in another one, and its transaction ids belong to "
        "that. If this is a restored copy that is to be used from now on, adopt it: stockctl "
        "ledger "
        "adopt --database-url URL, as the owner or a superuser.");
  }
  identity.ledger_is(static_cast<std::uint64_t>(ledger));
  return status;
}

}  // namespace stock::postgres
