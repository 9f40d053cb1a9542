// What the batcher tells of itself; telemetry counts it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "stock/ledger/store.h"
#include "stock/ledger/write.h"

namespace stock::ledger {

// Why a batch is run again.
enum class Retry : std::uint8_t {
  kConflict,       // somebody else was faster
  kLocked,         // somebody else keeps a level locked
  kUnreachable,    // there was no database; nothing was applied
  kUnknownCommit,  // nobody knows whether it was committed
  kSplit,          // one of its requests is unacceptable: each is run alone
};
inline constexpr std::size_t kRetries = 5;
std::string_view retry_name(Retry retry);  // "conflict"...

// Called from the batchers' threads; refused() also from those that submit. Must not block.
// Outlives the batcher.
class Observer {
 public:
  virtual ~Observer() = default;
  // A request was taken into a batch, this long after it was accepted.
  virtual void waited(std::chrono::nanoseconds duration) = 0;
  // A batch was decided in one transaction, which took `duration` from its begin to its commit, or
  // to its end where the plan is empty.
  virtual void batch_decided(const Plan& plan, std::chrono::nanoseconds duration) = 0;
  // One request was answered with a refusal.
  virtual void refused(Reason reason) = 0;
  virtual void retried(Retry retry) = 0;
};

}  // namespace stock::ledger
