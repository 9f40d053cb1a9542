#include "stock/rpc/finding.h"

#include <algorithm>

#include "stock/drift/words.h"
#include "stock/rpc/convert.h"
#include "stock/rpc/enums.h"

namespace stock::rpc {
namespace {

// What a witness says may be anything, also counts whose sum is no number.
domain::Counts bounded(const domain::Counts& counts) {
  const auto bound = [](std::int64_t count) {
    return std::clamp(count, -domain::kMaxCount, domain::kMaxCount);
  };
  return {.on_hand = bound(counts.on_hand),
          .reserved = bound(counts.reserved),
          .committed = bound(counts.committed),
          .safety_stock = bound(counts.safety_stock),
          .backorder_limit = bound(counts.backorder_limit)};
}

void to_proto(const drift::Claim& claim, v1::Statement& out) {
  const layers::Answer& answer = claim.answer;
  out.set_outcome(outcome_of(answer.outcome));
  out.set_detail(claim.detail);
  // Who did not answer in time was asked at no known instant.
  if (claim.asked_latest != domain::DatabaseTime{}) {
    rpc::to_proto(claim.asked_earliest, *out.mutable_asked_after());
    rpc::to_proto(claim.asked_latest, *out.mutable_asked_before());
  }
  if (!answer.found()) return;
  const domain::Reading& reading = answer.reading;
  out.set_exists(reading.exists);
  rpc::to_proto(bounded(reading.counts), *out.mutable_counts());
  out.set_version(reading.version);
  if (reading.version > 0) rpc::to_proto(reading.as_of, *out.mutable_as_of());
  rpc::to_proto(reading.true_through, *out.mutable_true_through());
}

}  // namespace

void to_proto(const drift::Finding& finding, std::string_view name, const std::string& instance,
              const domain::Movement* successor, v1::Finding& out) {
  v1::Statement& statement = *out.mutable_statement();
  statement.set_witness(std::string(name));
  statement.set_instance(instance);
  to_proto(finding.claim, statement);
  const drift::Judgement& judgement = finding.judgement;
  out.set_verdict(verdict_of(judgement.verdict));
  out.set_units(judgement.units);
  out.set_versions(judgement.versions);
  if (judgement.age.count() > 0) rpc::to_proto(judgement.age, *out.mutable_behind());
  if (judgement.true_from) rpc::to_proto(*judgement.true_from, *out.mutable_true_from());
  if (judgement.true_until) rpc::to_proto(*judgement.true_until, *out.mutable_true_until());
  if (successor != nullptr) rpc::to_proto(*successor, *out.mutable_superseded_by());
  out.set_words(drift::words(finding, successor));
}

}  // namespace stock::rpc
