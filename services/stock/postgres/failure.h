// What exceptions of libpqxx mean. They end in this room; everywhere else there are only statuses.
#pragma once

#include "absl/status/status.h"

namespace stock::postgres {

struct Failure {
  absl::Status status;
  // The session may be in an unknown state, or on the wrong server: it must not be used again.
  bool session_is_unfit = false;
};

// Of the exception that is being handled. UNAVAILABLE: there is nobody to be asked, or not now.
// DEADLINE_EXCEEDED: the statement took too long. CANCELLED: somebody else has kept a lock for too
// long. ABORTED: somebody else was faster.
// INVALID_ARGUMENT: this data is not acceptable. FAILED_PRECONDITION: the schema or the rights are
// not what this program was built for. INTERNAL: anything else.
Failure current_failure();

}  // namespace stock::postgres
