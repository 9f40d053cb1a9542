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
  absl::Status status = session.run([&](Connection& connection) {
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

absl::Status check_ledger(Session& session, feed::LedgerIdentity& identity) {
  return session.run([&](Connection& connection) -> absl::Status {
    pqxx::nontransaction transaction(connection.pq());
    const pqxx::result rows = connection.exec(transaction, sql::ledger());
    if (rows.empty()) return absl::FailedPreconditionError("stock.ledger is empty");
    if (!flag(rows[0][1])) {
      return absl::FailedPreconditionError(
          "the ledger in this database was restored from a dump: its transaction ids are those of "
          "another database. Stop every stockd and writer that uses it, then: stockctl ledger "
          "adopt "
          "--database-url URL (as owner or superuser)");
    }
    identity.ledger_is(static_cast<std::uint64_t>(number(rows[0][0])));
    return absl::OkStatus();
  });
}

}  // namespace stock::postgres
