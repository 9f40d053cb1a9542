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

// libpqxx 6 puts it off until it executes the statement itself; asked again it does nothing.
void prepare_now([[maybe_unused]] pqxx::connection& connection,
                 [[maybe_unused]] const std::string& name) {
#if PQXX_VERSION_MAJOR < 7
  connection.prepare_now(name);
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

Connection::Connection(const std::string& url, domain::LocalTime now)
    : begun_at_(now), connection_(url) {
  forbid_reconnecting(connection_);
}

pqxx::result Connection::exec(pqxx::transaction_base& transaction, const Statement& statement,
                              const std::vector<std::string>& parameters) {
  prepare(statement);
  return exec_prepared(transaction, statement.name, parameters);
}

pqxx::result Connection::exec(pqxx::nontransaction& transaction, const std::vector<Step>& steps) {
  std::string query;
  for (const Step& step : steps) {
    if (!query.empty()) query += "; ";
    if (step.statement == nullptr) {
      query += step.command;
      continue;
    }
    prepare(*step.statement);
    prepare_now(connection_, step.statement->name);
    query += "EXECUTE " + step.statement->name;
    for (std::size_t i = 0; i < step.parameters.size(); ++i) {
      query += i == 0 ? "(" : ", ";
      query += transaction.quote(step.parameters[i]);
    }
    if (!step.parameters.empty()) query += ")";
  }
  return transaction.exec(query);
}

void Connection::prepare(const Statement& statement) {
  if (!prepared_.insert(&statement).second) return;
  connection_.prepare(statement.name, statement.text);
}

std::string_view text(const pqxx::field& field) { return {field.c_str(), field.size()}; }

std::int64_t number(const pqxx::field& field) {
  std::int64_t value = 0;
  const std::string_view digits = text(field);
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

domain::Counts counts(const pqxx::row& row, int first) {
  Fields fields(row);
  fields.skip(first);
  return fields.counts();
}

domain::Counts Fields::counts() {
  return {.on_hand = number(),
          .reserved = number(),
          .committed = number(),
          .safety_stock = number(),
          .backorder_limit = number()};
}

}  // namespace stock::postgres
