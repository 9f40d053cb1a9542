#include "support/sql.h"

#include <fmt/format.h>
#include <libpq-fe.h>

namespace stock::support {

void Sql::Close::operator()(pg_conn* connection) const { PQfinish(connection); }

Sql::Sql(const std::string& url) : connection_(PQconnectdb(url.c_str())) {
  if (PQstatus(connection_.get()) != CONNECTION_OK) {
    throw SqlError(PQerrorMessage(connection_.get()), "");
  }
  PQsetNoticeProcessor(
      connection_.get(), [](void*, const char*) {}, nullptr);
}

std::vector<Sql::Row> Sql::query(const std::string& statements) {
  const std::unique_ptr<PGresult, decltype(&PQclear)> result(
      PQexec(connection_.get(), statements.c_str()), PQclear);
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_EMPTY_QUERY) {
    const char* state = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
    throw SqlError(fmt::format("{}in: {}", PQerrorMessage(connection_.get()), statements),
                   state == nullptr ? "" : state);
  }
  std::vector<Row> rows(static_cast<std::size_t>(PQntuples(result.get())));
  for (std::size_t row = 0; row < rows.size(); ++row) {
    for (int column = 0; column < PQnfields(result.get()); ++column) {
      rows[row].emplace_back(PQgetvalue(result.get(), static_cast<int>(row), column));
    }
  }
  return rows;
}

std::string Sql::value(const std::string& statement) {
  const std::vector<Row> rows = query(statement);
  if (rows.size() != 1 || rows.front().size() != 1) {
    throw SqlError(
        fmt::format("{} rows, where one value is wanted, from: {}", rows.size(), statement), "");
  }
  return rows.front().front();
}

}  // namespace stock::support
