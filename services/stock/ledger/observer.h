// What the batcher tells of itself; telemetry counts it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "stock/ledger/write.h"

namespace stock::ledger {

// Why a batch is run again.
enum class Retry : std::uint8_t {
  kConflict,       // somebody else was faster
  kUnreachable,    // there was no database; nothing was applied
  kUnknownCommit,  // nobody knows whether it was committed
  kSplit,          // one of its requests is unacceptable: each is run alone
};
inline constexpr std::size_t kRetries = 4;
std::string_view retry_name(Retry retry);  // "conflict"...

// Called from the batcher's thread; refused() also from those that submit. Must not block. Outlives
// the batcher.
class Observer {
 public:
  virtual ~Observer() = default;
  // `requests` were applied in one transaction that took `duration` from its begin to its commit.
  virtual void batch_committed(std::size_t requests, std::size_t movements,
                               std::chrono::nanoseconds duration) = 0;
  // One request was answered with a refusal.
  virtual void refused(Reason reason) = 0;
  virtual void retried(Retry retry) = 0;
};

}  // namespace stock::ledger
