#include "stock/postgres/testimony_store.h"

#include <string>

#include "stock/postgres/connection.h"
#include "stock/postgres/sql.h"
#include "stock/postgres/testimony_rows.h"

namespace stock::postgres {

absl::Status TestimonyStore::keep(std::span<const drift::KeptTestimony> testimonies) {
  return session_.run([&](Connection& connection) {
    pqxx::nontransaction transaction(connection.pq());
    connection.exec(transaction, sql::keep_testimonies(), to_keep(testimonies));
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<drift::TestimonyStore::Rows>> TestimonyStore::prune(
    std::int64_t rows_per_witness) {
  std::vector<Rows> kept;
  const absl::Status status = session_.run([&](Connection& connection) {
    pqxx::nontransaction transaction(connection.pq());
    for (const pqxx::row& row : connection.exec(transaction, sql::prune_testimonies(),
                                                {std::to_string(rows_per_witness)})) {
      kept.push_back({.witness = std::string(text(row[0])), .rows = number(row[1])});
    }
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return kept;
}

}  // namespace stock::postgres
