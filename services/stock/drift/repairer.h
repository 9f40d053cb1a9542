// Removes copies from the layers that hold them, or replaces them by what the primary says. The
// ledger is never touched, and the lie that a copy told stays told: incidents are the auditor's.
//
// Thread-safe. Everything passed in outlives it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "stock/clock/local_clock.h"
#include "stock/domain/key.h"
#include "stock/domain/time.h"
#include "stock/layers/layer.h"
#include "stock/layers/removable.h"
#include "stock/layers/setting.h"
#include "stock/layers/switch.h"

namespace stock::drift {

enum class RepairOutcome : std::uint8_t { kDropped, kRefreshed, kFailed };
inline constexpr std::size_t kRepairOutcomes = 3;
std::string_view outcome_name(RepairOutcome outcome);  // "dropped"...

class RepairObserver {
 public:
  virtual ~RepairObserver() = default;
  // Of so many keys, in a layer by its index in the repairer's list. `actor` and `reason` as they
  // were given. Called on any thread; must not block.
  virtual void repaired(std::size_t layer, std::span<const domain::Key> keys, RepairOutcome outcome,
                        const std::string& actor, const std::string& reason) = 0;
};

class Repairer {
 public:
  struct Place {
    std::string layer;
    layers::Removable* copies = nullptr;
    layers::Fillable* fill = nullptr;
    const layers::Switch* setting = nullptr;
  };
  struct Order {
    std::string layer;
    std::vector<domain::Key> keys;  // distinct
    layers::RepairPolicy action = layers::RepairPolicy::kRefresh;
    std::string actor;
    std::string reason;
  };

  Repairer(std::vector<Place> places, layers::Layer& primary, const clock::LocalClock& clock,
           RepairObserver& observer)
      : places_(std::move(places)), primary_(primary), clock_(clock), observer_(observer) {}

  // Blocks, for as long as the layers take. NOT_FOUND: no copies of that layer are kept here.
  // UNAVAILABLE: the layer, or the primary, could not be asked.
  absl::Status repair(const Order& order, domain::LocalTime deadline);

  // For the auditor: does what the policy of the layer says about copies that were found to be
  // lies. Blocks.
  void found_lying(std::string_view layer, std::span<const domain::Key> keys,
                   domain::LocalTime deadline);

 private:
  absl::Status act(const Place& place, const Order& order, domain::LocalTime deadline);

  const std::vector<Place> places_;
  layers::Layer& primary_;
  const clock::LocalClock& clock_;
  RepairObserver& observer_;
};

}  // namespace stock::drift
