#include "stock/postgres/location_store.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "stock/postgres/answer_once.h"
#include "stock/postgres/connection.h"
#include "stock/postgres/sql.h"

namespace stock::postgres {
namespace {

// Nothing when a row stands in the way that our snapshot does not show: somebody was just faster.
absl::StatusOr<std::optional<domain::Location>> try_create(Session& session,
                                                           const domain::Location& wanted) {
  std::optional<domain::Location> found;
  const absl::Status status = session.run([&](Connection& connection) {
    pqxx::nontransaction transaction(connection.pq());
    for (const pqxx::row& row :
         connection.exec(transaction, sql::create_location(), {wanted.id, wanted.display_name})) {
      found = {
          .id = wanted.id, .display_name = std::string(text(row[0])), .created_at = time(row[1])};
    }
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return found;
}

absl::StatusOr<domain::Location> create_or_find(Session& session, const domain::Location& wanted) {
  constexpr int kAttempts = 3;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    auto found = try_create(session, wanted);
    if (!found.ok()) return found.status();
    if (!found->has_value()) continue;
    if ((*found)->display_name == wanted.display_name) return **std::move(found);
    return absl::AlreadyExistsError(fmt::format(R"(location "{}" exists and is called "{}")",
                                                wanted.id, (*found)->display_name));
  }
  return absl::AbortedError("others create and remove this location at the same time");
}

}  // namespace

void LocationStore::create(domain::Location location, domain::LocalTime deadline,
                           absl::AnyInvocable<void(absl::StatusOr<domain::Location>)> done) {
  const auto answer = AnswerOnce<domain::Location>::by(timers_, deadline, std::move(done));
  pool_.submit(deadline,
               [location = std::move(location), answer](absl::StatusOr<Session*> session) {
                 if (answer->given()) return;
                 (*answer)(session.ok() ? create_or_find(**session, location) : session.status());
               });
}

}  // namespace stock::postgres
