#include "stockctl/rpc/error_details.h"

#include <string>

#include "absl/strings/cord.h"
#include "absl/types/optional.h"

namespace stockctl {
namespace {

constexpr char kDetailsUrl[] = "type.googleapis.com/google.rpc.Status";
constexpr char kProvenanceUrl[] = "type.googleapis.com/stock.v1.Provenance";

template <typename Message>
bool parse_payload(const absl::Status& status, const char* url, Message& message) {
  const absl::optional<absl::Cord> payload = status.GetPayload(url);
  return payload.has_value() && message.ParseFromString(std::string(*payload));
}

}  // namespace

void attach_details(absl::Status& status, std::string_view details, std::string_view provenance) {
  if (!details.empty()) status.SetPayload(kDetailsUrl, absl::Cord(std::string(details)));
  if (!provenance.empty()) status.SetPayload(kProvenanceUrl, absl::Cord(std::string(provenance)));
}

ErrorDetails details_of(const absl::Status& status) {
  ErrorDetails result;
  if (google::rpc::Status details; parse_payload(status, kDetailsUrl, details)) {
    for (const google::protobuf::Any& detail : details.details()) {
      google::rpc::RetryInfo retry;
      if (detail.UnpackTo(&retry)) {
        result.retry_delay = std::chrono::seconds(retry.retry_delay().seconds()) +
                             std::chrono::nanoseconds(retry.retry_delay().nanos());
      }
      detail.UnpackTo(&result.info);
      detail.UnpackTo(&result.bad_request);
      detail.UnpackTo(&result.precondition);
    }
    result.present = details.details_size() > 0;
  }
  if (stock::v1::Provenance provenance; parse_payload(status, kProvenanceUrl, provenance)) {
    result.provenance = std::move(provenance);
    result.present = true;
  }
  return result;
}

}  // namespace stockctl
