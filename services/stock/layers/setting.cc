#include "stock/layers/setting.h"

namespace stock::layers {

std::string_view policy_name(RepairPolicy policy) {
  switch (policy) {
    case RepairPolicy::kOff:
      return "off";
    case RepairPolicy::kDrop:
      return "drop";
    case RepairPolicy::kRefresh:
      return "refresh";
  }
  return "off";
}

std::optional<RepairPolicy> parse_policy(std::string_view name) {
  for (const auto policy : {RepairPolicy::kOff, RepairPolicy::kDrop, RepairPolicy::kRefresh}) {
    if (name == policy_name(policy)) return policy;
  }
  return std::nullopt;
}

}  // namespace stock::layers
