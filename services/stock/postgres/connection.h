// libpqxx, as the rest of this room sees it: a connection that prepares each statement once, and
// the values of result rows. Not for other rooms, which do not know that there is a libpqxx.
#pragma once

#include <cstdint>
#include <pqxx/pqxx>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "stock/domain/level.h"
#include "stock/domain/time.h"
#include "stock/postgres/statement.h"

namespace stock::postgres {

// Belongs to one thread at a time. Every call can throw what libpqxx throws.
class Connection {
 public:
  // Connects, and blocks meanwhile.
  explicit Connection(const std::string& url);

  [[nodiscard]] pqxx::connection& pq() { return connection_; }
  [[nodiscard]] bool open() const { return connection_.is_open(); }
  // Runs a statement, prepared when it is used for the first time.
  pqxx::result exec(pqxx::transaction_base& transaction, const Statement& statement,
                    const std::vector<std::string>& parameters = {});
  // Whoever answers is not who was looked for: the session is to look again.
  void reject() { rejected_ = true; }
  [[nodiscard]] bool rejected() const { return rejected_; }

 private:
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

}  // namespace stock::postgres
