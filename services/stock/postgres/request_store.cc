#include "stock/postgres/request_store.h"

#include <algorithm>
#include <utility>

#include "stock/postgres/answer_once.h"
#include "stock/postgres/connection.h"
#include "stock/postgres/sql.h"

namespace stock::postgres {
namespace {

absl::StatusOr<ledger::FoundRequest> ask_request(const Asker& asker, Session& session,
                                                 const domain::Uuid& request) {
  ledger::FoundRequest found;
  const absl::Status status = asker.ask(
      session, sql::request_held(), {domain::format_uuid(request)},
      [&](const Dating& dating, const pqxx::result& rows) {
        found.incarnation = dating.incarnation;
        for (const pqxx::row& row : rows) {
          const std::int64_t kind = number(row[0]);
          if (kind == 0) continue;
          (kind == 1 ? found.xid : found.pruned_through) = static_cast<domain::Xid>(number(row[8]));
        }
      });
  if (!status.ok()) return status;
  return found;
}

}  // namespace

void RequestStore::find(const domain::Uuid& request, domain::LocalTime deadline, Done done) {
  deadline = std::min(deadline, local_.now() + timeout_);
  const auto answer = AnswerOnce<ledger::FoundRequest>::by(timers_, deadline, std::move(done));
  pool_.submit(deadline, [asker = asker_, request, answer](absl::StatusOr<Session*> session) {
    if (answer->given()) return;
    (*answer)(session.ok() ? ask_request(asker, **session, request) : session.status());
  });
}

}  // namespace stock::postgres
