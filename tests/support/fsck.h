// What the ledger says of itself when a test is over.
#pragma once

#include "support/postgres_server.h"

namespace stock::support {

// Fails the test with what contradicts the ledger's invariants, in words. For whoever wrote to it,
// except to damage it.
void expect_sound_ledger(const PostgresServer& server);

}  // namespace stock::support
