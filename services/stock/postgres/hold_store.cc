#include "stock/postgres/hold_store.h"

#include <string>

#include "stock/postgres/connection.h"
#include "stock/postgres/sql.h"

namespace stock::postgres {

absl::StatusOr<std::vector<ledger::EndedHold>> HoldStore::ended(std::int32_t limit,
                                                                const ledger::EndedHold& after) {
  std::vector<ledger::EndedHold> holds;
  const absl::Status status = session_.run([&](Connection& connection) {
    pqxx::nontransaction transaction(connection.pq());
    const std::vector<std::string> parameters = {
        std::to_string(limit), std::to_string(after.end.time_since_epoch().count()),
        domain::format_uuid(after.id)};
    for (const pqxx::row& row : connection.exec(transaction, sql::ended_holds(), parameters)) {
      if (const auto id = domain::parse_uuid(text(row[1]))) holds.push_back({time(row[0]), *id});
    }
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return holds;
}

absl::StatusOr<std::int64_t> HoldStore::count(std::int64_t limit) {
  std::int64_t held = 0;
  const absl::Status status = session_.run([&](Connection& connection) {
    pqxx::nontransaction transaction(connection.pq());
    held = number(
        connection.exec(transaction, sql::count_holds(), {std::to_string(limit)}).front()[0]);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return held;
}

}  // namespace stock::postgres
