// The next keys of a round, as a layer that can be gone through names them, with what it says of
// each: one question where there would be two, which ones there are and what it says of them. It
// lives until the layer has answered, however late that is.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <vector>

#include "absl/status/statusor.h"
#include "stock/clock/local_clock.h"
#include "stock/domain/key.h"
#include "stock/domain/time.h"
#include "stock/drift/inquiry.h"
#include "stock/layers/walkable.h"

namespace stock::drift {

class Stretch : public std::enable_shared_from_this<Stretch> {
 public:
  struct Named {
    std::vector<domain::Key> keys;
    Inquiry::Statement statement;  // about these
  };

  // Asks, and does not wait. The clock outlives the question, as the layer does.
  static std::shared_ptr<Stretch> send(layers::Walkable& layer, layers::WalkQuery query,
                                       const clock::LocalClock& clock,
                                       std::chrono::nanoseconds patience);
  // Once: waits until `patience` after it was sent. Nothing: the layer failed, or has not answered
  // by then; or `stop` was requested, which ends the waiting.
  std::optional<Named> wait(const std::stop_token& stop);

 private:
  Stretch(const clock::LocalClock& clock, std::chrono::nanoseconds patience);

  void received(absl::StatusOr<layers::LevelPage> page);

  const clock::LocalClock& clock_;
  const domain::LocalTime sent_;
  const domain::LocalTime deadline_;

  std::mutex mutex_;  // guards the rest
  std::condition_variable_any changed_;
  std::optional<absl::StatusOr<layers::LevelPage>> page_;
  domain::LocalTime received_;
};

}  // namespace stock::drift
