// Whether the database holds the schema that this program was built for, and a ledger that is at
// home there.
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "stock/feed/ledger_identity.h"
#include "stock/postgres/session.h"

namespace stock::postgres {

// The newest file in deploy/postgres/migrations.
inline constexpr std::string_view kExpectedMigration = "0002_freshness.sql";

// FAILED_PRECONDITION with words for the operator: what is there, what is expected, what to do.
// UNAVAILABLE when nobody can be asked.
absl::Status check_schema(Session& session);

// That, and whether the ledger's transaction ids are this database's own. After a restore from a
// dump they are foreign: FAILED_PRECONDITION until it is adopted, since what is newer than what
// could not be told. `identity` learns which ledger it is.
absl::Status check_database(Session& session, feed::LedgerIdentity& identity);

}  // namespace stock::postgres
