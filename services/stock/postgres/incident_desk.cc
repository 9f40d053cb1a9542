#include "stock/postgres/incident_desk.h"

#include <string>
#include <utility>

#include "stock/postgres/incident_rows.h"
#include "stock/postgres/sql.h"

namespace stock::postgres {

void IncidentDesk::list(drift::IncidentQuery query, domain::LocalTime deadline, Done done) {
  pool_.submit(deadline, [query = std::move(query),
                          done = std::move(done)](absl::StatusOr<Session*> session) mutable {
    if (!session.ok()) return done(session.status());
    drift::IncidentPage page;
    const absl::Status status = (*session)->run([&](Connection& connection) {
      pqxx::nontransaction transaction(connection.pq());
      page.incidents = incidents(connection.exec(
          transaction, sql::incident_page(),
          {query.open_only ? "1" : "0", query.layer,
           std::string(query.verdict ? drift::verdict_name(*query.verdict) : ""), query.sku,
           std::to_string(query.before), std::to_string(query.limit + 1)}));
      return absl::OkStatus();
    });
    if (!status.ok()) return done(status);
    page.more = std::ssize(page.incidents) > query.limit;
    if (page.more) page.incidents.pop_back();
    done(std::move(page));
  });
}

}  // namespace stock::postgres
