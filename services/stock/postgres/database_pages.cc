#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "stock/postgres/answer_once.h"
#include "stock/postgres/connection.h"
#include "stock/postgres/database_layer.h"
#include "stock/postgres/rows.h"
#include "stock/postgres/sql.h"

namespace stock::postgres {
namespace {

using layers::LevelPage;
using layers::LevelQuery;
using layers::LocationPage;
using layers::LocationQuery;
using layers::MovementPage;
using layers::MovementQuery;
using layers::PastLevel;
using layers::PastPage;
using layers::PastQuery;
using layers::ReservationPage;
using layers::ReservationQuery;
using layers::WalkQuery;

// One more than asked for tells whether there is more.
std::string one_more(std::int32_t limit) { return std::to_string(std::int64_t{limit} + 1); }

// The greatest text that can begin with `prefix`: the last character there is, as often as a name
// has room for it.
std::string last_with_prefix(std::string prefix) {
  while (prefix.size() < 2 * domain::kMaxNameBytes) prefix += "\U0010FFFF";
  return prefix;
}

// For each kind of page: its statement, the parameters of a query, and what one row adds.

const Statement& statement(const LevelQuery&, Role role) { return sql::level_page(role); }

std::vector<std::string> parameters(const LevelQuery& query) {
  const bool all = query.location.empty();
  return {std::max(query.location, query.after.location),
          all ? last_with_prefix("") : query.location,
          query.sku_prefix,
          last_with_prefix(query.sku_prefix),
          query.after.location,
          query.after.sku,
          one_more(query.limit)};
}

void add(LevelPage& page, const LevelQuery&, const pqxx::row& row, const Dating& dating) {
  page.readings.push_back(reading(row, dating));
  page.keys.push_back(key(row, 9));
}

const Statement& statement(const MovementQuery&, Role role) { return sql::movement_page(role); }

std::vector<std::string> parameters(const MovementQuery& query) {
  const domain::Version before =
      query.before == 0 ? std::numeric_limits<domain::Version>::max() : query.before;
  return {query.key.sku, query.key.location, std::to_string(before), one_more(query.limit)};
}

void add(MovementPage& page, const MovementQuery& query, const pqxx::row& row, const Dating&) {
  page.movements.push_back(movement(query.key, row));
}

const Statement& statement(const LocationQuery&, Role role) { return sql::location_page(role); }

std::vector<std::string> parameters(const LocationQuery& query) {
  return {query.after, query.id, query.id.empty() ? last_with_prefix("") : query.id,
          one_more(query.limit)};
}

void add(LocationPage& page, const LocationQuery&, const pqxx::row& row, const Dating&) {
  page.locations.push_back({.id = std::string(text(row[7])),
                            .display_name = std::string(text(row[8])),
                            .created_at = time(row[1])});
}

template <typename Page, typename Query>
absl::StatusOr<Page> ask_page(const Asker& asker, Session& session, const Query& query) {
  Page page;
  const absl::Status status = asker.ask(session, statement(query, asker.role()), parameters(query),
                                        [&](const Dating& dating, const pqxx::result& rows) {
                                          page.true_through = dating.true_through;
                                          page.incarnation = dating.incarnation;
                                          page.shows = dating.shows;
                                          for (const pqxx::row& row : rows) {
                                            const std::int64_t position = number(row[0]);
                                            if (position > query.limit) page.more = true;
                                            if (position > 0 && position <= query.limit)
                                              add(page, query, row, dating);
                                          }
                                        });
  if (!status.ok()) return status;
  return page;
}

template <>
absl::StatusOr<PastPage> ask_page(const Asker& asker, Session& session, const PastQuery& query) {
  const Statement& statement =
      query.at ? sql::levels_at(asker.role()) : sql::levels_of_version(asker.role());
  std::vector<std::string> parameters = columns(query.keys);
  parameters.push_back(
      std::to_string(query.at ? query.at->time_since_epoch().count() : query.version));
  PastPage page;
  const absl::Status status = asker.ask(
      session, statement, parameters, [&](const Dating& dating, const pqxx::result& rows) {
        page.true_through = dating.true_through;
        page.incarnation = dating.incarnation;
        page.shows = dating.shows;
        page.levels.resize(query.keys.size());
        for (const pqxx::row& row : rows) {
          const std::int64_t position = number(row[0]);
          if (position == 0) continue;
          PastLevel& level = page.levels[static_cast<std::size_t>(position - 1)];
          if (!row[12].is_null()) page.horizon = time(row[12]);
          level.pruned = row[2].is_null();
          if (level.pruned) continue;
          level.found = true;
          level.reading = reading(row, dating);
          level.seen_by = time(row[9]);
          level.in_transition = flag(row[10]);
          if (query.at) {
            level.reading.true_through = *query.at;
          } else if (!row[11].is_null()) {
            level.reading.true_through = time(row[11]);
          }
        }
      });
  if (!status.ok()) return status;
  return page;
}

template <>
absl::StatusOr<LevelPage> ask_page(const Asker& asker, Session& session, const WalkQuery& query) {
  LevelPage page;
  const absl::Status status =
      asker.ask(session, sql::level_walk(asker.role()),
                {query.after.sku, query.after.location, std::to_string(query.limit)},
                [&](const Dating& dating, const pqxx::result& rows) {
                  page.true_through = dating.true_through;
                  page.incarnation = dating.incarnation;
                  page.shows = dating.shows;
                  page.keys.reserve(rows.size());
                  page.readings.reserve(rows.size());
                  for (const pqxx::row& row : rows) {
                    Fields fields(row);
                    if (fields.number() == 0) continue;
                    domain::Reading& level = page.readings.emplace_back(reading(fields, dating));
                    domain::Key& key = page.keys.emplace_back();
                    key.sku = fields.text();
                    key.location = fields.text();
                    level.earliest_expiry = fields.time();
                  }
                  page.more = std::ssize(page.keys) == query.limit;
                });
  if (!status.ok()) return status;
  return page;
}

template <>
absl::StatusOr<ReservationPage> ask_page(const Asker& asker, Session& session,
                                         const ReservationQuery& query) {
  const std::vector<std::string> parameters = {
      domain::format_uuid(query.id.value_or(domain::Uuid{})),
      domain::format_uuid(query.after),
      query.state ? std::string(domain::state_name(*query.state)) : "",
      query.key ? query.key->sku : "",
      query.key ? query.key->location : "",
      one_more(query.limit)};
  ReservationPage page;
  const absl::Status status = asker.ask(
      session, query.id ? sql::reservation_of(asker.role()) : sql::reservation_page(asker.role()),
      parameters, [&](const Dating& dating, const pqxx::result& rows) {
        page.true_through = dating.true_through;
        page.incarnation = dating.incarnation;
        page.shows = dating.shows;
        page.reservations = read_reservations(rows, 7);
      });
  if (!status.ok()) return status;
  if (page.reservations.size() > static_cast<std::size_t>(query.limit)) {
    page.reservations.resize(static_cast<std::size_t>(query.limit));
    page.more = true;
  }
  return page;
}

}  // namespace

template <typename Page, typename Query>
void DatabaseLayer::page(Query query, const layers::ReadContext& context,
                         layers::PageDone<Page> done) {
  const auto answer = AnswerOnce<Page>::by(timers_, context.deadline, std::move(done));
  pool_.submit(context.deadline, [asker = asker_, query = std::move(query),
                                  answer](absl::StatusOr<Session*> session) {
    if (answer->given()) return;
    (*answer)(session.ok() ? ask_page<Page>(asker, **session, query) : session.status());
  });
}

void DatabaseLayer::levels(LevelQuery query, const layers::ReadContext& context,
                           layers::PageDone<LevelPage> done) {
  page<LevelPage>(std::move(query), context, std::move(done));
}

void DatabaseLayer::walk(WalkQuery query, const layers::ReadContext& context,
                         layers::PageDone<LevelPage> done) {
  page<LevelPage>(std::move(query), context, std::move(done));
}

void DatabaseLayer::movements(MovementQuery query, const layers::ReadContext& context,
                              layers::PageDone<MovementPage> done) {
  page<MovementPage>(std::move(query), context, std::move(done));
}

void DatabaseLayer::past(PastQuery query, const layers::ReadContext& context,
                         layers::PageDone<PastPage> done) {
  page<PastPage>(std::move(query), context, std::move(done));
}

void DatabaseLayer::reservations(ReservationQuery query, const layers::ReadContext& context,
                                 layers::PageDone<ReservationPage> done) {
  page<ReservationPage>(std::move(query), context, std::move(done));
}

void DatabaseLayer::locations(LocationQuery query, const layers::ReadContext& context,
                              layers::PageDone<LocationPage> done) {
  page<LocationPage>(std::move(query), context, std::move(done));
}

}  // namespace stock::postgres
