// A plain PostgreSQL connection, beside everything that is under test. Errors throw SqlError.
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

struct pg_conn;

namespace stock::support {

class SqlError : public std::runtime_error {
 public:
  SqlError(const std::string& message, std::string state)
      : std::runtime_error(message), state_(std::move(state)) {}
  // SQLSTATE; empty when the connection failed.
  [[nodiscard]] const std::string& state() const { return state_; }

 private:
  std::string state_;
};

class Sql {
 public:
  using Row = std::vector<std::string>;  // NULL is an empty string

  explicit Sql(const std::string& url);

  // One or several statements; the rows of the last.
  std::vector<Row> query(const std::string& statements);
  void exec(const std::string& statements) { query(statements); }
  // Of a query that gives one row with one column.
  std::string value(const std::string& statement);
  std::int64_t number(const std::string& statement) { return std::stoll(value(statement)); }

 private:
  struct Close {
    void operator()(pg_conn* connection) const;
  };
  std::unique_ptr<pg_conn, Close> connection_;
};

}  // namespace stock::support
