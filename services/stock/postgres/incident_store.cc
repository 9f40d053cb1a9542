#include "stock/postgres/incident_store.h"

#include <string>
#include <utility>

#include "stock/postgres/connection.h"
#include "stock/postgres/incident_rows.h"
#include "stock/postgres/sql.h"

namespace stock::postgres {
namespace {

// The advisory lock of whoever writes incidents: "incident".
constexpr std::int64_t kLock = 0x696e636964656e74;

drift::Edition newest_of(const pqxx::result& rows) {
  drift::Edition edition;
  for (const pqxx::row& row : rows) {
    edition = {.incarnation = static_cast<domain::Incarnation>(number(row[0])),
               .revision = number(row[1])};
  }
  return edition;
}

}  // namespace

// The open ones are read after the lock has been waited for, and what is read shows what the last
// holder wrote: each statement has a snapshot of its own.
absl::StatusOr<std::vector<drift::Incident>> IncidentStore::decide(
    absl::FunctionRef<void(drift::Docket&)> work) {
  std::vector<drift::Incident> written;
  const absl::Status status = session_.run([&](Connection& connection) {
    pqxx::work transaction(connection.pq());
    connection.exec(transaction, sql::lock_incidents(), {std::to_string(kLock)});
    drift::Docket docket(incidents(connection.exec(transaction, sql::open_incidents())));
    work(docket);
    for (drift::Incident* changed : docket.changed()) {
      changed->is_new = changed->id == 0;
      const pqxx::result rows =
          changed->is_new
              ? connection.exec(transaction, sql::open_incident(), to_open(*changed))
              : connection.exec(transaction, sql::change_incident(), to_change(*changed));
      for (const pqxx::row& row : rows) {
        changed->id = number(row[0]);
        changed->revision = number(row[1]);
      }
      written.push_back(std::move(*changed));
    }
    transaction.commit();
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return written;
}

absl::StatusOr<std::vector<drift::Incident>> IncidentStore::changed_since(std::int64_t revision,
                                                                          std::int32_t limit) {
  std::vector<drift::Incident> changed;
  const absl::Status status = session_.run([&](Connection& connection) {
    pqxx::nontransaction transaction(connection.pq());
    changed = incidents(connection.exec(transaction, sql::incidents_changed_since(),
                                        {std::to_string(revision), std::to_string(limit)}));
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return changed;
}

absl::StatusOr<drift::Edition> IncidentStore::newest() {
  drift::Edition edition;
  const absl::Status status = session_.run([&](Connection& connection) {
    pqxx::nontransaction transaction(connection.pq());
    edition = newest_of(connection.exec(transaction, sql::newest_incident()));
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return edition;
}

// The edition first: what changes between the two is read, and told once more.
absl::StatusOr<drift::IncidentStore::Open> IncidentStore::open() {
  Open open;
  const absl::Status status = session_.run([&](Connection& connection) {
    pqxx::nontransaction transaction(connection.pq());
    open.edition = newest_of(connection.exec(transaction, sql::newest_incident()));
    open.incidents = incidents(connection.exec(transaction, sql::open_incidents()));
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return open;
}

absl::Status IncidentStore::prune(std::chrono::milliseconds retention) {
  return session_.run([&](Connection& connection) {
    pqxx::nontransaction transaction(connection.pq());
    connection.exec(transaction, sql::prune_incidents(), {std::to_string(retention.count())});
    return absl::OkStatus();
  });
}

}  // namespace stock::postgres
