#include "stock/postgres/database_layer.h"

#include <string>
#include <utility>

#include "stock/postgres/connection.h"
#include "stock/postgres/rows.h"
#include "stock/postgres/sql.h"

namespace stock::postgres {
namespace {

void fill(std::span<layers::Answer> answers, domain::Outcome outcome) {
  for (layers::Answer& answer : answers) answer.outcome = outcome;
}

domain::Outcome outcome_of(const absl::Status& failure) {
  return absl::IsDeadlineExceeded(failure) ? domain::Outcome::kTimeout : domain::Outcome::kError;
}

absl::Status ask_levels(const Asker& asker, Session& session, std::span<const domain::Key> keys,
                        std::span<layers::Answer> answers) {
  return asker.ask(session, sql::levels_of_keys(asker.role()), columns(keys),
                   [&](const Dating& dating, const pqxx::result& rows) {
                     for (const pqxx::row& row : rows) {
                       Fields fields(row);
                       const std::int64_t position = fields.number();
                       if (position == 0) continue;
                       layers::Answer& answer = answers[static_cast<std::size_t>(position - 1)];
                       answer.outcome = domain::Outcome::kHit;
                       answer.reading = reading(fields, dating);
                       answer.reading.earliest_expiry = fields.time();
                       answer.shows = dating.shows;
                     }
                   });
}

}  // namespace

void DatabaseLayer::read(std::span<const domain::Key> keys, std::span<layers::Answer> answers,
                         const layers::ReadContext& context, layers::Done done) {
  pool_.submit(context.deadline,
               [asker = asker_, keys, answers, cancelled = context.cancelled,
                done = std::move(done)](absl::StatusOr<Session*> session) mutable {
                 if (cancelled != nullptr && cancelled->load(std::memory_order_relaxed)) {
                   fill(answers, domain::Outcome::kMiss);
                   done("not asked: the caller has gone");
                   return;
                 }
                 const absl::Status status =
                     session.ok() ? ask_levels(asker, **session, keys, answers) : session.status();
                 if (!status.ok()) fill(answers, outcome_of(status));
                 done(std::string(status.message()));
               });
}

}  // namespace stock::postgres
