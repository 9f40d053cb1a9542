// What the auditor tells of its work and its findings; telemetry exports it.
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
  // Units of all keys times the time that they were seen to be wrong, since the auditor began.
  double unit_seconds = 0;
};

// Why a key is examined.
enum class Cause : std::uint8_t {
  kMoved,    // it just did
  kRead,     // somebody does
  kRound,    // its turn has come
  kSuspect,  // a layer was found to contradict the ledger on it
};
inline constexpr std::size_t kCauses = 4;
std::string_view cause_name(Cause cause);  // "moved"...

// A pass of the auditor over all that was due.
struct Pass {
  std::chrono::nanoseconds busy;  // asking took so long
  bool idle = false;              // nothing moved and nobody read, so that it may have taken more
  double coverage = 0;  // share of the present round over all layers; 0: of nobody who leads
};

// Called from the auditor's thread. Must not block. Outlives the auditor. Layers are given by their
// index in the auditor's list.
class Observer {
 public:
  virtual ~Observer() = default;
  // One key, as one layer has it.
  virtual void examined(std::size_t layer, const Judgement& judgement) = 0;
  // A layer was found to contradict the ledger on a key that had moved, or was read, so long ago.
  virtual void detected(std::chrono::nanoseconds after) { (void)after; }
  // Of the cause, so many keys were examined.
  virtual void looked(Cause cause, std::size_t keys) { (void)cause, (void)keys; }
  // So many keys of the cause were not, for there were too many, or the ledger could not be asked.
  virtual void dropped(Cause cause, std::size_t keys) { (void)cause, (void)keys; }
  // All that was due has been looked at. One summary per layer.
  virtual void pass_finished(std::span<const LayerSummary> layers, const Pass& pass) = 0;
  // Every key there is has been looked at in every layer, in this time.
  virtual void round_finished(std::chrono::nanoseconds duration) { (void)duration; }
  // The ledger could not be asked, so that nothing can be said of the layers.
  virtual void pass_failed(const absl::Status& why) = 0;
};

}  // namespace stock::drift
