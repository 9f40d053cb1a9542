#include "stock/postgres/schema.h"

#include <fmt/format.h>

#include <string>

#include "stock/postgres/connection.h"
#include "stock/postgres/failure.h"
#include "stock/postgres/session.h"
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

absl::Status check_schema(Connection& connection) {
  std::string found;
  try {
    pqxx::nontransaction transaction(connection.pq());
    for (const pqxx::row& row : connection.exec(transaction, sql::newest_migration())) {
      found = text(row[0]);
    }
  } catch (const pqxx::sql_error&) {
    // Without the table there was no migration; without the right to read it, no grant to this
    // role.
    const absl::Status status = current_failure().status;
    if (!absl::IsFailedPrecondition(status)) throw;
    return mismatch(fmt::format("unknown ({})", std::string(status.message())), kMigrate);
  }
  if (found == kExpectedMigration) return absl::OkStatus();
  if (found.empty()) return mismatch("none", kMigrate);
  return mismatch(found, found < kExpectedMigration ? kMigrate : kUpgrade);
}

absl::Status check_ledger(Connection& connection, feed::LedgerIdentity& identity) {
  pqxx::nontransaction transaction(connection.pq());
  const pqxx::result rows = connection.exec(transaction, sql::ledger());
  if (rows.empty()) return absl::FailedPreconditionError("stock.ledger is empty");
  if (!flag(rows[0][1])) {
    return absl::FailedPreconditionError(
        "the ledger in this database was restored from a dump: its transaction ids are those of "
        "another database, or of another time. Stop every stockd and writer that uses it, then: "
        "stockctl ledger adopt "
        "--database-url URL (as owner or superuser)");
  }
  identity.ledger_is(static_cast<std::uint64_t>(number(rows[0][0])));
  return absl::OkStatus();
}

}  // namespace

absl::Status check_database(Connection& connection, feed::LedgerIdentity& identity) {
  const absl::Status schema = check_schema(connection);
  return schema.ok() ? check_ledger(connection, identity) : schema;
}

absl::Status check_sessions(Session& session, Session& other) {
  // Not prepared: behind such a pooler that fails, too, and nobody would understand why.
  const auto backend = [](pqxx::transaction_base& transaction) {
    return number(transaction.exec("SELECT pg_backend_pid()")[0][0]);
  };
  const auto ask = [&](std::int64_t& pid) {
    return session.run([&](Connection& connection) {
      pqxx::nontransaction transaction(connection.pq());
      pid = backend(transaction);
      return absl::OkStatus();
    });
  };
  std::int64_t before = 0;
  std::int64_t beside = 0;
  std::int64_t after = 0;
  if (absl::Status status = ask(before); !status.ok()) return status;
  absl::Status asked_again;
  const absl::Status status = other.run([&](Connection& connection) {
    pqxx::work transaction(connection.pq());  // which holds what it was given
    beside = backend(transaction);
    asked_again = ask(after);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  if (!asked_again.ok()) return asked_again;
  if (before == after && before != beside) return status;
  return absl::FailedPreconditionError(
      "the database is reached through a pooler that gives the transactions of one session to "
      "different server connections (PgBouncer with pool_mode = transaction or statement). This "
      "program needs sessions of its own, for its settings, prepared statements and locks: set "
      "pool_mode = session for this database, or connect to PostgreSQL itself.");
}

}  // namespace stock::postgres
