// Statements whose answers carry a date.
//
// Each is alone in its transaction, and its first row says when and where it was asked: the clock
// of the transaction, whether the server is a standby, the newest heartbeat that its snapshot
// shows. From that follows through when its rows are known to be true, and the process learns what
// the primary's clock says and which incarnation the ledger is in.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "stock/clock/database_clock.h"
#include "stock/clock/local_clock.h"
#include "stock/domain/reading.h"
#include "stock/domain/snapshot.h"
#include "stock/domain/time.h"
#include "stock/feed/ledger_identity.h"
#include "stock/postgres/session.h"
#include "stock/postgres/statement.h"

namespace pqxx {
class result;
}

namespace stock::postgres {

class Connection;

enum class Role { kPrimary, kReplica };

// What a process learns from the statements that it asks. All outlive whoever learns.
struct Knowledge {
  const clock::LocalClock& local;
  clock::DatabaseClock& clock;
  feed::LedgerIdentity& identity;
};

// What the rows of one answer have in common.
struct Dating {
  domain::DatabaseTime true_through;
  domain::Incarnation incarnation = 0;
  domain::HeartbeatNumber heartbeat = 0;
  // The latest that the primary's clock read when the rows were; on a standby nobody knows.
  domain::DatabaseTime clock = domain::DatabaseTime::max();
  // What the rows show for certain: the statement's snapshot, or on a standby the heartbeat's.
  std::shared_ptr<const domain::Snapshot> shows;
  domain::LocalTime sent;  // before the snapshot was taken
  domain::LocalTime received;
};

// A value: copied to wherever it is needed.
class Asker {
 public:
  Asker(Role role, Knowledge knowledge) : role_(role), knowledge_(knowledge) {}

  [[nodiscard]] Role role() const { return role_; }

  using Read = absl::FunctionRef<void(const Dating&, const pqxx::result&)>;

  // Runs a statement whose text begins with dating_row(role()) (see sql.h); `read` finds that row
  // among the others, with 0 in its first column. UNAVAILABLE also when whoever is called primary
  // is none, and while there is nothing to date an answer by.
  absl::Status ask(Session& session, const Statement& statement,
                   const std::vector<std::string>& parameters, Read read) const;

  // The same for the rows of a statement that was the first of its transaction, sent at `sent`.
  absl::Status learn(Connection& connection, domain::LocalTime sent, const pqxx::result& rows,
                     Read read) const;

 private:
  Role role_;
  Knowledge knowledge_;
};

}  // namespace stock::postgres
