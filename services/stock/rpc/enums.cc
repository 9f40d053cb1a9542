#include "stock/rpc/enums.h"

namespace stock::rpc {

v1::Outcome outcome_of(domain::Outcome outcome) {
  // Left out; the detail says why.
  if (outcome == domain::Outcome::kRefused) return v1::OUTCOME_BYPASSED;
  // Declared in the same order.
  static_assert(v1::OUTCOME_COALESCED == static_cast<int>(domain::Outcome::kCoalesced) + 1);
  return static_cast<v1::Outcome>(static_cast<int>(outcome) + 1);
}

v1::Verdict verdict_of(drift::Verdict verdict) {
  // Declared in the same order.
  static_assert(v1::VERDICT_UNDERCOUNTED == static_cast<int>(drift::Verdict::kUndercounted) + 1);
  return static_cast<v1::Verdict>(static_cast<int>(verdict) + 1);
}

std::string_view name_of(v1::Layer layer) {
  switch (layer) {
    case v1::LAYER_MEMORY:
      return "memory";
    case v1::LAYER_REDIS:
      return "redis";
    case v1::LAYER_REPLICA:
      return "replica";
    case v1::LAYER_PRIMARY:
      return "primary";
    default:
      return "";
  }
}

}  // namespace stock::rpc
