#include "stockctl/ledger/adoption.h"

#include <pqxx/pqxx>
#include <utility>

#include "stockctl/text/concat.h"

namespace stockctl {
namespace {

constexpr const char* kState = R"(
SELECT current_database(), ledger.id,
       (SELECT count(*) FROM stock.movement WHERE xid <> '3'),
       (ledger.system_identifier = control.system_identifier AND ledger.database = here.oid)::int
FROM stock.ledger, pg_control_system() AS control, pg_database AS here
WHERE here.datname = current_database())";

std::string without_newline(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

// Of the exception that is being handled.
absl::Status current_failure() {
  try {
    throw;
  } catch (const pqxx::insufficient_privilege& error) {
    return absl::FailedPreconditionError(
        concat("this user may not do that (", without_newline(error.what()),
               "): name the owner, stock_owner, or a superuser in the URL"));
  } catch (const pqxx::undefined_table& error) {
    return absl::FailedPreconditionError(
        "there is no ledger of this version here; bring the schema up to date first: sql-migrate "
        "up "
        "with deploy/postgres/dbconfig.yml");
  } catch (const pqxx::sql_error& error) {
    return absl::InternalError(without_newline(error.what()));
  } catch (const std::exception& error) {
    return absl::UnavailableError(without_newline(error.what()));
  }
}

}  // namespace

struct LedgerAdoption::Connection {
  explicit Connection(const std::string& url) : pq(url) {}
  pqxx::connection pq;
  pqxx::quiet_errorhandler quiet{pq};
};

LedgerAdoption::LedgerAdoption(std::unique_ptr<Connection> connection)
    : connection_(std::move(connection)) {}
LedgerAdoption::~LedgerAdoption() = default;

absl::StatusOr<std::unique_ptr<LedgerAdoption>> LedgerAdoption::connect(const std::string& url) {
  try {
    return std::unique_ptr<LedgerAdoption>(new LedgerAdoption(std::make_unique<Connection>(url)));
  } catch (const std::exception& error) {
    // What cannot be parsed is quoted, and may hold a password.
    std::string why = without_newline(error.what());
    if (const std::size_t at = why.find(url); at != std::string::npos) {
      why.replace(at, url.size(), "the URL");
    }
    return absl::UnavailableError(why);
  }
}

absl::StatusOr<LedgerAdoption::State> LedgerAdoption::state() {
  try {
    pqxx::nontransaction transaction(connection_->pq);
    const pqxx::result rows = transaction.exec(kState);
    if (rows.empty()) {
      return absl::FailedPreconditionError(
          "the table stock.ledger is empty: this is no whole ledger. Restore it from a full dump.");
    }
    return State{.database = rows[0][0].as<std::string>(),
                 .ledger = rows[0][1].as<std::int64_t>(),
                 .foreign_movements = rows[0][2].as<std::int64_t>(),
                 .at_home = rows[0][3].as<int>() != 0};
  } catch (...) {
    return current_failure();
  }
}

absl::StatusOr<std::int64_t> LedgerAdoption::adopt() {
  try {
    pqxx::work transaction(connection_->pq);
    const pqxx::result rows = transaction.exec("SELECT stock.adopt_ledger()");
    const auto adopted = rows[0][0].as<std::int64_t>();
    transaction.commit();
    return adopted;
  } catch (...) {
    return current_failure();
  }
}

}  // namespace stockctl
