// A layer: something that can be asked for the levels of keys. The interface is small on purpose;
// what to do with an answer (is it fresh enough, whom to ask next, whom to tell) is decided in the
// read path, never in a layer.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "stock/domain/key.h"
#include "stock/domain/provenance.h"
#include "stock/domain/reading.h"
#include "stock/domain/snapshot.h"
#include "stock/domain/time.h"

namespace stock::layers {

// What a layer says of one key. `reading` means something for kHit and kCoalesced only. A layer
// answers kHit, kMiss (it holds no statement), kCorrupt, kError or kTimeout; decorators add
// kCoalesced, kRefused, kBreakerOpen and kBypassed; the rest are verdicts of the read path.
struct Answer {
  domain::Outcome outcome = domain::Outcome::kMiss;
  domain::Reading reading;
  // What the reading shows for certain, when a database gave it: the snapshot of its statement, or
  // of the newest heartbeat that the statement saw. Null for copies.
  std::shared_ptr<const domain::Snapshot> shows;

  [[nodiscard]] bool found() const {
    return outcome == domain::Outcome::kHit || outcome == domain::Outcome::kCoalesced;
  }
};

struct ReadContext {
  // Nobody waits for the answer after this instant.
  domain::LocalTime deadline = domain::LocalTime::max();
  // Becomes true when the caller has gone. May be null; outlives the read.
  const std::atomic<bool>* cancelled = nullptr;
};

// Called exactly once per read, from any thread, possibly before read() returns. `detail` says for
// people what went wrong; empty when nothing did. Must not block.
using Done = absl::AnyInvocable<void(std::string detail)>;

// Thread-safe. Outlives every read under way.
class Layer {
 public:
  virtual ~Layer() = default;

  // "memory", "redis"...: the value of the `layer` label. Outlives the layer's readings.
  [[nodiscard]] virtual std::string_view name() const = 0;

  // Answers `keys` (no duplicates) into `answers`, one for one; then calls `done`. Both spans stay
  // valid, and are nobody else's to touch, until then. Never blocks on I/O. The deadline is a hint:
  // only Flights enforces it.
  virtual void read(std::span<const domain::Key> keys, std::span<Answer> answers,
                    const ReadContext& context, Done done) = 0;
};

// A layer that can be told what another one said.
class Fillable {
 public:
  virtual ~Fillable() = default;

  // Takes copies of `readings` (of `keys`, one for one), or not: an offer may be lost. It never
  // replaces a copy by one of a lower version, or of the same version with an earlier true_through.
  // Never blocks.
  virtual void offer(std::span<const domain::Key> keys,
                     std::span<const domain::Reading> readings) = 0;
};

}  // namespace stock::layers
