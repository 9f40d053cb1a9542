// One question to several layers at once. It lives until the last of them has answered, however
// late that is: layers write into its buffers.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "stock/clock/local_clock.h"
#include "stock/domain/key.h"
#include "stock/domain/time.h"
#include "stock/layers/layer.h"

namespace stock::drift {

class Inquiry : public std::enable_shared_from_this<Inquiry> {
 public:
  // What one layer said, one answer per key. Without `answered` it did not come in time.
  struct Statement {
    bool answered = false;
    std::vector<layers::Answer> answers;
    std::string detail;  // what went wrong, for people
    domain::LocalTime sent;
    domain::LocalTime received;
  };

  // What one of the layers, by its index, has said of the keys already.
  struct Made {
    std::size_t layer = 0;
    Statement statement;
  };

  // Asks, and does not wait; whoever has made his statement is not asked. The clock outlives the
  // reads, as the layers do.
  static std::shared_ptr<Inquiry> send(std::vector<domain::Key> keys,
                                       const std::vector<layers::Layer*>& layers,
                                       const clock::LocalClock& clock,
                                       std::chrono::nanoseconds patience,
                                       std::optional<Made> made = std::nullopt);
  // Once: waits until `patience` after it was sent, and returns one statement per layer. Returns
  // early when `stop` is requested.
  std::vector<Statement> wait(const std::stop_token& stop);

  [[nodiscard]] const std::vector<domain::Key>& keys() const { return keys_; }

 private:
  Inquiry(std::vector<domain::Key> keys, std::size_t layers, const clock::LocalClock& clock,
          std::chrono::nanoseconds patience, std::optional<Made> made);

  void ask(layers::Layer& layer, std::size_t index);
  void received(std::size_t index, std::string detail);

  const std::vector<domain::Key> keys_;
  const clock::LocalClock& clock_;
  const domain::LocalTime deadline_;
  std::atomic<bool> cancelled_{false};

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::size_t outstanding_;  // guarded by mutex_
  // Guarded by mutex_, but for the answers of a layer that is being asked: these are the layer's.
  std::vector<Statement> statements_;
};

}  // namespace stock::drift
