// Whether the database can be used at all: whether it holds the schema that this program was built
// for, and a ledger of its own, and is reached by sessions that are ours alone.
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "stock/feed/ledger_identity.h"

namespace stock::postgres {

class Connection;
class Session;

// The newest file in deploy/postgres/migrations.
inline constexpr std::string_view kExpectedMigration = "0014_statements.sql";

// For SessionOptions::accept: asked of every connection, since what is behind an address changes.
// Learns which ledger this is. FAILED_PRECONDITION, with words for the operator: the schema is
// another one (what is there, what is expected, what to do), or the ledger was loaded from a dump,
// of another database or of this one, so that the transaction ids in it mean nothing here.
absl::Status check_database(Connection& connection, feed::LedgerIdentity& identity);

// Whether two sessions that are open at once are two for the server, too. Behind a pooler that
// hands out server connections by the transaction they may be one, or another one each time:
// settings, prepared statements and locks would be somebody else's. FAILED_PRECONDITION then, with
// words for the operator.
absl::Status check_sessions(Session& session, Session& other);

}  // namespace stock::postgres
