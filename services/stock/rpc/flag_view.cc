#include "stock/rpc/flag_view.h"

#include "stock/domain/key.h"
#include "stock/rpc/convert.h"

namespace stock::rpc {
namespace {

v1::FlagEffect effect_of(domain::FlagEffect effect) {
  // Declared in the same order.
  static_assert(v1::FLAG_EFFECT_END_SALE == static_cast<int>(domain::FlagEffect::kEndSale) + 1);
  return static_cast<v1::FlagEffect>(static_cast<int>(effect) + 1);
}

}  // namespace

Failure no_flags() {
  return {.code = grpc::StatusCode::FAILED_PRECONDITION,
          .reason = "FLAGS_NOT_CONFIGURED",
          .message = "this server has no feature flags: it was started without --flags-address",
          .violations = {},
          .metadata = {},
          .retry_after = {}};
}

std::optional<Failure> check_cohort(const std::string& cohort, const FlagRooms* flags, bool past) {
  if (cohort.empty()) return std::nullopt;
  const auto status = domain::validate_text("cohort", cohort, domain::kMaxNameBytes);
  if (!status.ok()) return bad_field("cohort", std::string(status.message()));
  if (past) return bad_field("cohort", "flags are those of now: not for reads of the past");
  if (flags == nullptr) return no_flags();
  return std::nullopt;
}

std::vector<layers::FlagQuestion> for_all_cohorts(const FlagRooms& rooms, const domain::Key& key) {
  std::vector<layers::FlagQuestion> questions;
  for (const std::string& cohort : rooms.cohorts) questions.push_back({cohort, key});
  return questions;
}

domain::Flagged to_proto(const FlagRooms& rooms, const std::string& cohort,
                         const layers::FlagAnswer& answer, std::int64_t available,
                         domain::LocalTime now, v1::FlaggedAvailability& out) {
  const domain::FlagsSaid& said = answer.said ? *answer.said : domain::FlagsSaid{};
  domain::Flagged view = domain::flagged(rooms.flags, said, available);
  out.set_cohort(cohort);
  out.set_hidden(view.hidden);
  out.set_sale_ended(view.sale_ended);
  out.set_available(view.available);
  for (std::size_t i = 0; i < rooms.flags.size(); ++i) {
    v1::FlagEvaluation& evaluation = *out.add_evaluations();
    evaluation.set_flag(rooms.flags[i].name);
    evaluation.set_effect(effect_of(rooms.flags[i].effect));
    evaluation.set_applies(view.outcomes[i].applies);
    evaluation.set_unreachable(answer.unreachable);
    if (!answer.said) continue;
    evaluation.set_variant(said[i].variant);
    evaluation.set_reason(said[i].reason);
    to_proto(now - answer.true_through, *evaluation.mutable_age());
    if (view.outcomes[i].cap >= 0) evaluation.set_cap(view.outcomes[i].cap);
  }
  return view;
}

}  // namespace stock::rpc
