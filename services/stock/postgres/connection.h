// libpqxx, as the rest of this room sees it: a connection that prepares each statement once, and
// the values of result rows. Not for other rooms, which do not know that there is a libpqxx.
#pragma once

#include <cstdint>
#include <pqxx/pqxx>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "stock/domain/level.h"
#include "stock/domain/time.h"
#include "stock/postgres/statement.h"

namespace stock::postgres {

// One thing to run: a command without parameters or result, such as BEGIN, or else a statement.
struct Step {
  Step(const char* command) : command(command) {}  // NOLINT(google-explicit-constructor)
  Step(const Statement& statement, std::vector<std::string> parameters)
      : statement(&statement), parameters(std::move(parameters)) {}

  const char* command = nullptr;
  const Statement* statement = nullptr;
  std::vector<std::string> parameters;
};

// Belongs to one thread at a time. Every call can throw what libpqxx throws.
class Connection {
 public:
  // Connects, and blocks meanwhile. `now` is read before.
  Connection(const std::string& url, domain::LocalTime now);

  [[nodiscard]] pqxx::connection& pq() { return connection_; }
  // It leads to where its address led at this instant or later.
  [[nodiscard]] domain::LocalTime begun_at() const { return begun_at_; }
  [[nodiscard]] bool open() const { return connection_.is_open(); }
  // Runs a statement, prepared when it is used for the first time.
  pqxx::result exec(pqxx::transaction_base& transaction, const Statement& statement,
                    const std::vector<std::string>& parameters = {});
  // Runs several things in one round trip, in a transaction that they begin or end themselves. The
  // result is that of the last one; an error may be that of any, and what comes after it is not
  // run.
  pqxx::result exec(pqxx::nontransaction& transaction, const std::vector<Step>& steps);
  // Whoever answers is not who was looked for: the session is to look again.
  void reject() { rejected_ = true; }
  [[nodiscard]] bool rejected() const { return rejected_; }

 private:
  // The first time prepares it.
  void prepare(const Statement& statement);

  const domain::LocalTime begun_at_;
  pqxx::connection connection_;
  pqxx::quiet_errorhandler quiet_{connection_};
  std::unordered_set<const Statement*> prepared_;
  bool rejected_ = false;
};

// The values of fields. NULL is 0, false and "".
std::string_view text(const pqxx::field& field);  // as long as the result lives
std::int64_t number(const pqxx::field& field);
inline bool flag(const pqxx::field& field) { return number(field) != 0; }
// From microseconds since the epoch.
inline domain::DatabaseTime time(const pqxx::field& field) {
  return domain::DatabaseTime(std::chrono::microseconds(number(field)));
}
// From five columns in the order of the table's.
domain::Counts counts(const pqxx::row& row, int first);

// The values of a row from left to right, for where there are many rows. Each row[n] counts two
// references to the result, for all threads; here one field goes along.
class Fields {
 public:
  explicit Fields(const pqxx::row& row) : field_(row.begin()) { --field_; }

  std::int64_t number() { return postgres::number(next()); }
  bool flag() { return postgres::flag(next()); }
  domain::DatabaseTime time() { return postgres::time(next()); }
  std::string text() { return std::string(postgres::text(next())); }
  domain::Counts counts();
  // Of the next one, until the one after it is asked for.
  const pqxx::field& next() { return ++field_; }
  void skip(int fields) { field_ += fields; }

 private:
  pqxx::const_row_iterator field_;
};

}  // namespace stock::postgres
