#include "stock/postgres/delta_store.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "stock/postgres/answer_once.h"
#include "stock/postgres/connection.h"
#include "stock/postgres/rows.h"
#include "stock/postgres/sql.h"

namespace stock::postgres {
namespace {

using feed::LevelDelta;
using feed::LevelDeltaQuery;
using feed::MovementDelta;
using feed::MovementDeltaQuery;

// The text of the first field of the first row; nothing without rows.
absl::StatusOr<std::optional<std::string>> ask_value(Session& session, const Statement& statement,
                                                     const std::vector<std::string>& parameters) {
  std::optional<std::string> value;
  const absl::Status status = session.run([&](Connection& connection) {
    pqxx::nontransaction transaction(connection.pq());
    const pqxx::result rows = connection.exec(transaction, statement, parameters);
    if (!rows.empty()) value = std::string(text(rows[0][0]));
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return value;
}

absl::StatusOr<LevelDelta> ask_levels(const Asker& asker, Session& session,
                                      const LevelDeltaQuery& query) {
  const bool by_key = query.location.empty();
  std::vector<std::string> parameters;
  if (by_key) {
    parameters = columns(query.keys);
    parameters.push_back(query.since.text());
  } else {
    parameters = {query.since.text(), query.location, std::to_string(query.limit + 1)};
  }
  LevelDelta delta;
  const absl::Status status =
      asker.ask(session, by_key ? sql::keys_moved_since() : sql::location_moved_since(), parameters,
                [&](const Dating& dating, const pqxx::result& rows) {
                  delta.incarnation = dating.incarnation;
                  delta.stamp = dating.true_through;
                  delta.shows = dating.shows;
                  for (const pqxx::row& row : rows) {
                    const std::int64_t position = number(row[0]);
                    if (position == 0) continue;
                    if (!by_key && delta.keys.size() == query.limit) {
                      delta.more = true;
                      break;
                    }
                    delta.readings.push_back(reading(row, dating));
                    const auto i = static_cast<std::size_t>(position - 1);
                    delta.keys.push_back(by_key ? query.keys[i] : key(row, 9));
                    if (by_key) delta.numbers.push_back(i);
                  }
                });
  if (!status.ok()) return status;
  return delta;
}

}  // namespace

template <typename T, typename Ask>
void DeltaStore::submit(domain::LocalTime deadline, Done<T> done, Ask ask) {
  const auto answer = AnswerOnce<T>::by(timers_, deadline, std::move(done));
  pool_.submit(deadline, [answer, ask = std::move(ask)](absl::StatusOr<Session*> session) mutable {
    if (answer->given()) return;
    if (session.ok()) {
      (*answer)(ask(**session));
    } else {
      (*answer)(session.status());
    }
  });
}

void DeltaStore::levels(LevelDeltaQuery query, domain::LocalTime deadline, Done<LevelDelta> done) {
  submit<LevelDelta>(deadline, std::move(done),
                     [asker = asker_, query = std::move(query)](Session& session) {
                       return ask_levels(asker, session, query);
                     });
}

void DeltaStore::movements(MovementDeltaQuery query, domain::LocalTime deadline,
                           Done<MovementDelta> done) {
  submit<MovementDelta>(deadline, std::move(done),
                        [this, query = std::move(query)](Session& session) mutable {
                          return page(session, std::move(query));
                        });
}

// How to read the delta, and where it is to end.
absl::Status DeltaStore::plan(Session& session, MovementDeltaQuery& query) const {
  query.walk = true;
  if (query.since == feed::beginning_of_time()) return absl::OkStatus();
  const auto is_small = [&](const domain::Snapshot& through) -> absl::StatusOr<bool> {
    const auto size =
        ask_value(session, sql::delta_size(),
                  {query.since.text(), through.text(), std::to_string(options_.small + 1)});
    if (!size.ok()) return size.status();
    return std::stoull(**size) <= options_.small;
  };
  auto small = is_small(query.through);
  if (!small.ok()) return small.status();
  query.walk = !*small;
  if (*small || !query.shorten) return absl::OkStatus();
  for (const std::size_t heartbeat : {options_.heartbeats, std::size_t{0}}) {
    const auto end =
        ask_value(session, sql::heartbeat_between(),
                  {query.since.text(), query.through.text(), std::to_string(heartbeat)});
    if (!end.ok()) return end.status();
    if (!end->has_value()) continue;
    auto through = domain::Snapshot::parse(**end);
    if (!through) continue;
    small = is_small(*through);
    if (!small.ok()) return small.status();
    if (!*small) continue;
    query.through = *std::move(through);
    query.walk = false;
    break;
  }
  return absl::OkStatus();
}

absl::StatusOr<MovementDelta> DeltaStore::page(Session& session, MovementDeltaQuery query) const {
  if (!query.walk) {
    if (absl::Status status = plan(session, query); !status.ok()) return status;
  }
  MovementDelta delta;
  delta.walk = *query.walk;
  delta.through = query.through;
  const std::size_t rows_to_look_at = delta.walk ? options_.stride : 1'000'000'000;
  const absl::Status status = asker_.ask(
      session, delta.walk ? sql::delta_by_key() : sql::delta_by_xid(),
      {query.since.text(), query.through.text(), query.location, query.after.sku,
       query.after.location, std::to_string(query.after_version), std::to_string(query.limit),
       std::to_string(rows_to_look_at)},
      [&](const Dating& dating, const pqxx::result& rows) {
        delta.incarnation = dating.incarnation;
        std::size_t looked_at = 0;
        for (const pqxx::row& row : rows) {
          const std::int64_t position = number(row[0]);
          if (position > 0) delta.movements.push_back(movement(key(row, 20), row));
          if (position == 0 && !row[7].is_null()) {
            delta.pruned = feed::may_lack(query.since, static_cast<domain::Xid>(number(row[7])));
          }
          if (position >= 0) continue;
          looked_at = static_cast<std::size_t>(number(row[2]));
          delta.after = key(row, 20);
          delta.after_version = number(row[1]);
        }
        const bool full = delta.movements.size() == query.limit;
        delta.more = full || looked_at == rows_to_look_at;
        if (full) {
          delta.after = delta.movements.back().key;
          delta.after_version = delta.movements.back().version;
        }
      });
  if (!status.ok()) return status;
  return delta;
}

void DeltaStore::common_past(domain::Incarnation incarnation, domain::LocalTime deadline,
                             Done<domain::Xid> done) {
  submit<domain::Xid>(
      deadline, std::move(done), [incarnation](Session& session) -> absl::StatusOr<domain::Xid> {
        const auto text = ask_value(session, sql::last_heartbeat_of(),
                                    {std::to_string(static_cast<std::int64_t>(incarnation))});
        if (!text.ok()) return text.status();
        const auto snapshot = text->has_value() ? domain::Snapshot::parse(**text) : std::nullopt;
        return snapshot ? snapshot->xmax() : domain::Xid{1};
      });
}

}  // namespace stock::postgres
