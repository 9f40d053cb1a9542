// Errors as clients see them: a code, a message that says what to do, and google.rpc details for
// machines.
#pragma once

#include <grpcpp/support/status.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "stock/ledger/write.h"

namespace stock::rpc {

inline constexpr const char* kErrorDomain = "stock.v1";

struct Failure {
  struct Violation {
    std::string subject;  // a field's path for INVALID_ARGUMENT, else a key
    std::string description;
  };

  grpc::StatusCode code = grpc::StatusCode::UNKNOWN;
  std::string reason;  // ErrorInfo.reason, upper snake case
  std::string message;
  std::vector<Violation> violations;
  std::vector<std::pair<std::string, std::string>> metadata;  // ErrorInfo.metadata
  std::optional<std::chrono::milliseconds> retry_after;       // RetryInfo
};

// With the details in `grpc-status-details-bin`, which stay under 4 KB: of many violations the
// first ones are told, and how many there are.
grpc::Status to_status(const Failure& failure);

// INVALID_ARGUMENT about one field of the request.
Failure bad_field(std::string field, std::string description);
// UNAVAILABLE, NOT_FOUND... as a room reported it.
Failure backend_failure(const absl::Status& status);
Failure refused(const ledger::Refusal& refusal);
// OUT_OF_RANGE: what was asked for lies behind the ledger's horizon. `message` says what that is.
Failure history_pruned(std::string message);

}  // namespace stock::rpc
