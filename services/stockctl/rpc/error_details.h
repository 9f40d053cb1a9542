#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "google/rpc/status.pb.h"
#include "stock/v1/provenance.pb.h"

namespace stockctl {

inline constexpr std::string_view kProvenanceMetadata = "stock-provenance-bin";

// What a server says of an error beside code and message.
struct ErrorDetails {
  google::rpc::ErrorInfo info;
  google::rpc::BadRequest bad_request;
  google::rpc::PreconditionFailure precondition;
  std::optional<std::chrono::nanoseconds> retry_delay;
  std::optional<stock::v1::Provenance> provenance;
  // The server sent any of these: it was reached, and it is one of ours.
  bool present = false;
};

// Details travel inside the status, as payloads. `details` is a serialized google.rpc.Status and
// `provenance` a serialized Provenance; either may be empty.
void attach_details(absl::Status& status, std::string_view details, std::string_view provenance);

// What is malformed or of a kind not known here is left out.
ErrorDetails details_of(const absl::Status& status);

}  // namespace stockctl
