// What an operator has set for a layer at run time; the same for all processes of a ledger.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "stock/domain/time.h"

namespace stock::layers {

// What the auditor does about a copy that it has found to be a lie.
enum class RepairPolicy : std::uint8_t {
  kOff,      // nothing
  kDrop,     // removes it
  kRefresh,  // replaces it by what the primary says
};
std::string_view policy_name(RepairPolicy policy);  // "off", "drop", "refresh"
std::optional<RepairPolicy> parse_policy(std::string_view name);

struct Setting {
  // Who changed it last, when, and why. The epoch: nobody ever did.
  struct Change {
    domain::DatabaseTime at;
    std::string actor;
    std::string reason;
  };

  std::string layer;
  bool enabled = true;
  Change switched;
  RepairPolicy repair = RepairPolicy::kOff;
  Change repair_set;
};

// What is not given stays as it is.
struct SettingChange {
  std::string layer;
  std::optional<bool> enabled;
  std::optional<RepairPolicy> repair;
  std::string actor;
  std::string reason;
};

// Where settings are kept. Implemented in postgres/. Blocks, for as long as a statement may take;
// used by one thread. Errors: UNAVAILABLE and DEADLINE_EXCEEDED; a change may then have been made,
// and can be repeated.
class SettingStore {
 public:
  virtual ~SettingStore() = default;
  virtual absl::StatusOr<std::vector<Setting>> all() = 0;
  // The setting as it is then. What is so already keeps who made it so. NOT_FOUND: there is no such
  // layer.
  virtual absl::StatusOr<Setting> change(const SettingChange& change) = 0;
};

}  // namespace stock::layers
