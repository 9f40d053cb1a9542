// Whether the database holds the schema that this program was built for, and a ledger of its own.
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

// Learns which ledger this is. FAILED_PRECONDITION, with words for the operator, when it was loaded
// from a dump of another database: the transaction ids in it mean nothing here.
absl::Status check_ledger(Session& session, feed::LedgerIdentity& identity);

}  // namespace stock::postgres
