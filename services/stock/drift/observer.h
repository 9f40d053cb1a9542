// What the auditor tells of its findings; telemetry exports it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/status/status.h"
#include "stock/drift/verdict.h"

namespace stock::drift {

// The keys on which a layer is known to contradict the ledger, and the worst of it.
struct LayerSummary {
  std::size_t divergent_keys = 0;
  std::int64_t max_units = 0;     // of available, in either direction
  std::int64_t max_versions = 0;  // in either direction
  std::chrono::microseconds max_age{0};
};

// Called from the auditor's thread. Must not block. Outlives the auditor. Layers are given by their
// index in the auditor's list.
class Observer {
 public:
  virtual ~Observer() = default;
  // One key, as one layer has it.
  virtual void examined(std::size_t layer, Verdict verdict) = 0;
  // `keys` were examined; one summary per layer.
  virtual void pass_finished(std::size_t keys, std::span<const LayerSummary> layers) = 0;
  // The ledger could not be asked, so that nothing can be said of the layers.
  virtual void pass_failed(const absl::Status& why) = 0;
};

}  // namespace stock::drift
