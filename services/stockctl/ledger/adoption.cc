#include "stockctl/ledger/adoption.h"

#include <utility>

#include "stockctl/ledger/database.h"

namespace stockctl {
namespace {

// A stockd that waits for the adoption looks in now and then, and leaves at once.
constexpr const char* kState = R"(
SELECT current_database(), ledger.id,
       (SELECT count(*) FROM stock.movement WHERE xid <> '3'),
       (ledger.system_identifier = control.system_identifier AND ledger.database = here.oid
        AND ledger.relation = ledger.tableoid)::int,
       (SELECT count(*) FROM pg_stat_activity AS session
        WHERE session.datname = current_database() AND session.pid <> pg_backend_pid()
          AND (session.usename = 'stock_writer' OR session.application_name LIKE 'stockd%')
          AND session.backend_start < clock_timestamp() - interval '1 second')
FROM stock.ledger, pg_control_system() AS control, pg_database AS here
WHERE here.datname = current_database())";

}  // namespace

LedgerAdoption::LedgerAdoption(std::unique_ptr<Database> database)
    : database_(std::move(database)) {}
LedgerAdoption::~LedgerAdoption() = default;

absl::StatusOr<std::unique_ptr<LedgerAdoption>> LedgerAdoption::connect(const std::string& url) {
  auto database = open_database(url);
  if (!database.ok()) return database.status();
  return std::unique_ptr<LedgerAdoption>(new LedgerAdoption(*std::move(database)));
}

absl::StatusOr<LedgerAdoption::State> LedgerAdoption::state() {
  try {
    pqxx::nontransaction transaction(database_->pq);
    const pqxx::result rows = transaction.exec(kState);
    if (rows.empty()) {
      return absl::FailedPreconditionError(
          "the table stock.ledger is empty: this is no whole ledger. Restore it from a full dump.");
    }
    return State{.database = rows[0][0].as<std::string>(),
                 .ledger = rows[0][1].as<std::int64_t>(),
                 .foreign_movements = rows[0][2].as<std::int64_t>(),
                 .at_home = rows[0][3].as<int>() != 0,
                 .writers = rows[0][4].as<std::int64_t>()};
  } catch (...) {
    return current_failure();
  }
}

absl::StatusOr<std::int64_t> LedgerAdoption::adopt() {
  try {
    pqxx::work transaction(database_->pq);
    const pqxx::result rows = transaction.exec("SELECT stock.adopt_ledger()");
    const auto adopted = rows[0][0].as<std::int64_t>();
    transaction.commit();
    return adopted;
  } catch (...) {
    return current_failure();
  }
}

}  // namespace stockctl
