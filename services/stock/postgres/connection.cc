#include "stock/postgres/connection.h"

#include <charconv>

namespace stock::postgres {
namespace {

// libpqxx 6 reconnects on its own and forgets what the session was told; later versions do not.
void forbid_reconnecting([[maybe_unused]] pqxx::connection& connection) {
#if PQXX_VERSION_MAJOR < 7
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  connection.inhibit_reactivation(true);
#pragma GCC diagnostic pop
#endif
}

pqxx::result exec_prepared(pqxx::transaction_base& transaction, const std::string& name,
                           const std::vector<std::string>& parameters) {
#if PQXX_VERSION_MAJOR < 7
  return transaction.exec_prepared(name, pqxx::prepare::make_dynamic_params(parameters));
#else
  pqxx::params dynamic;
  dynamic.append_multi(parameters);
  return transaction.exec(pqxx::prepped{name}, dynamic);
#endif
}

}  // namespace

Connection::Connection(const std::string& url) : connection_(url) {
  forbid_reconnecting(connection_);
}

pqxx::result Connection::exec(pqxx::transaction_base& transaction, const Statement& statement,
                              const std::vector<std::string>& parameters) {
  if (!prepared_.contains(&statement)) {
    connection_.prepare(statement.name, statement.text);
    prepared_.insert(&statement);
  }
  return exec_prepared(transaction, statement.name, parameters);
}

std::string_view text(const pqxx::field& field) { return {field.c_str(), field.size()}; }

std::int64_t number(const pqxx::field& field) {
  std::int64_t value = 0;
  const std::string_view digits = text(field);
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

domain::Counts counts(const pqxx::row& row, int first) {
  return {.on_hand = number(row[first]),
          .reserved = number(row[first + 1]),
          .committed = number(row[first + 2]),
          .safety_stock = number(row[first + 3]),
          .backorder_limit = number(row[first + 4])};
}

}  // namespace stock::postgres
