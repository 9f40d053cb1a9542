#include "stock/postgres/asker.h"

#include <algorithm>

#include "stock/postgres/connection.h"

namespace stock::postgres {
namespace {

struct Stamp {
  domain::DatabaseTime now;
  bool in_recovery = false;
  domain::HeartbeatNumber heartbeat = 0;
  domain::DatabaseTime heartbeat_stamp;
  domain::Incarnation heartbeat_incarnation = 0;
  domain::Incarnation incarnation = 0;
  domain::DatabaseTime clock;
  std::shared_ptr<const domain::Snapshot> snapshot;
};

// The first row in practice; no order is promised without ORDER BY.
pqxx::row dating_row(const pqxx::result& rows) {
  return *std::find_if(rows.begin(), rows.end(),
                       [](const pqxx::row& row) { return number(row[0]) == 0; });
}

// Snapshots of a server that works can be read; of another one nothing is shown.
std::shared_ptr<const domain::Snapshot> read_snapshot(const pqxx::field& field) {
  return std::make_shared<const domain::Snapshot>(
      domain::Snapshot::parse(text(field)).value_or(domain::Snapshot()));
}

Stamp read_stamp(const pqxx::row& row) {
  return {.now = time(row[1]),
          .in_recovery = flag(row[2]),
          .heartbeat = number(row[3]),
          .heartbeat_stamp = time(row[4]),
          .heartbeat_incarnation = static_cast<domain::Incarnation>(number(row[5])),
          .incarnation = static_cast<domain::Incarnation>(number(row[6])),
          .clock = time(row[row.size() - 2]),
          .snapshot = read_snapshot(row[row.size() - 1])};
}

}  // namespace

absl::Status Asker::ask(Session& session, const Statement& statement,
                        const std::vector<std::string>& parameters, Read read) const {
  return session.run([&](Connection& connection) -> absl::Status {
    pqxx::nontransaction transaction(connection.pq());
    const domain::LocalTime sent = knowledge_.local.now();
    return learn(connection, sent, connection.exec(transaction, statement, parameters), read);
  });
}

absl::Status Asker::learn(Connection& connection, domain::LocalTime sent, const pqxx::result& rows,
                          Read read) const {
  const domain::LocalTime received = knowledge_.local.now();
  const Stamp stamp = read_stamp(dating_row(rows));
  if (role_ == Role::kReplica) {
    // Promoted, it goes on in a history of its own, while the newest heartbeat is of the old one.
    if (!stamp.in_recovery) {
      connection.reject();
      return absl::UnavailableError("the database called replica is no standby");
    }
    if (stamp.heartbeat == 0) {
      return absl::UnavailableError("no heartbeat of the ledger has reached this database yet");
    }
    knowledge_.identity.standby_says(stamp.heartbeat_incarnation);
    read({.true_through = stamp.heartbeat_stamp,
          .incarnation = stamp.heartbeat_incarnation,
          .heartbeat = stamp.heartbeat,
          .shows = stamp.snapshot,
          .sent = sent,
          .received = received},
         rows);
    return absl::OkStatus();
  }
  if (stamp.in_recovery) {
    connection.reject();
    return absl::UnavailableError("the database called primary is a standby");
  }
  // Another history may come with another clock: not to be learnt without knowing whose it is. Nor
  // is a ledger that was loaded from a dump meanwhile the one that this connection was accepted
  // for.
  if (stamp.incarnation == 0) {
    connection.reject();
    return absl::UnavailableError("the ledger's incarnation has not begun yet");
  }
  using Heard = feed::LedgerIdentity::Heard;
  const auto belief =
      knowledge_.identity.primary_says(stamp.incarnation, connection.begun_at(), received);
  if (belief.heard == Heard::kFormer) {
    connection.reject();
    return absl::UnavailableError("the database called primary is one of before");
  }
  if (knowledge_.clock.measured(sent, stamp.now, received, belief.history)) {
    knowledge_.identity.clock_was_set(stamp.incarnation);
  }
  read({.true_through = stamp.now,
        .incarnation = stamp.incarnation,
        .heartbeat = stamp.heartbeat,
        .clock = stamp.clock,
        .shows = stamp.snapshot,
        .sent = sent,
        .received = received},
       rows);
  return absl::OkStatus();
}

}  // namespace stock::postgres
