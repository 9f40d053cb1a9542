// The ledger's truth, by SQL and past everything that is under test.
#pragma once

#include "support/history.h"
#include "support/sql.h"

namespace stock::support {

// All of it. As a superuser, on the primary.
Ledger read_ledger(Sql& sql);

}  // namespace stock::support
