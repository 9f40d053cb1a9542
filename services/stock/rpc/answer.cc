#include "stock/rpc/answer.h"

#include "stock/rpc/convert.h"

namespace stock::rpc {
namespace {

// With the status details, errors have to stay below 6 KB.
constexpr std::size_t kMaxErrorProvenanceBytes = 1500;

}  // namespace

void fill_provenance(const domain::Age& age, bool bound_missed,
                     std::span<const domain::Visit> trail, const std::string& instance,
                     v1::Provenance& out) {
  to_proto(age.age, *out.mutable_age());
  to_proto(age.uncertainty, *out.mutable_uncertainty());
  out.set_instance(instance);
  out.set_bound_missed(bound_missed);
  for (const domain::Visit& visit : trail) to_proto(visit, out);
}

grpc::Status unanswered(grpc::ServerContext& context, const absl::Status& status,
                        const std::optional<domain::Age>& best,
                        std::span<const domain::Visit> trail, const std::string& instance) {
  v1::Provenance provenance;
  fill_provenance(best.value_or(domain::Age{}), false, trail, instance, provenance);
  if (!best) provenance.clear_age();
  std::string bytes = provenance.SerializeAsString();
  if (bytes.size() > kMaxErrorProvenanceBytes) {
    for (auto& visit : *provenance.mutable_trail()) visit.clear_detail();
    bytes = provenance.SerializeAsString();
  }
  context.AddTrailingMetadata("stock-provenance-bin", bytes);

  Failure failure = backend_failure(status);
  if (best && absl::IsUnavailable(status)) {
    failure.reason = "STALENESS_BOUND_UNMET";
    failure.metadata.emplace_back("best_bound_us", std::to_string(best->worst().count()));
    failure.retry_after.reset();
  }
  if (absl::IsFailedPrecondition(status)) {
    failure.code = grpc::StatusCode::FAILED_PRECONDITION;
    failure.reason = "TOKEN_FROM_THE_FUTURE";
    failure.message =
        "the primary does not show the write of this token: it is that of a server which has been "
        "ahead of it. If the write was answered, ask the operator whether an old primary still "
        "runs; repeat the write with its request_id to be sure of it, or read without the token";
  }
  if (!best) {
    for (const domain::Visit& visit : trail) {
      if (visit.detail.empty()) continue;
      failure.message += failure.message.empty() ? "" : "; ";
      failure.message += visit.detail;
    }
  }
  return to_status(failure);
}

}  // namespace stock::rpc
