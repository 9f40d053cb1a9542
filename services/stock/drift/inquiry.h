// One question to several layers at once. It lives until the last of them has answered, however
// late that is: layers write into its buffers.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <stop_token>
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
    domain::LocalTime sent;
    domain::LocalTime received;
  };

  // Asks, waits for up to `patience`, and returns one statement per layer. The clock outlives the
  // reads, as the layers do. Returns early when `stop` is requested.
  static std::vector<Statement> ask(std::vector<domain::Key> keys,
                                    const std::vector<layers::Layer*>& layers,
                                    const clock::LocalClock& clock,
                                    std::chrono::nanoseconds patience, const std::stop_token& stop);

 private:
  Inquiry(std::vector<domain::Key> keys, std::size_t layers, const clock::LocalClock& clock);

  void send(layers::Layer& layer, std::size_t index, domain::LocalTime deadline);
  void received(std::size_t index);
  std::vector<Statement> wait(std::chrono::nanoseconds patience, const std::stop_token& stop);

  const std::vector<domain::Key> keys_;
  const clock::LocalClock& clock_;
  std::atomic<bool> cancelled_{false};

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::size_t outstanding_;  // guarded by mutex_
  // Guarded by mutex_, but for the answers of a layer that is being asked: these are the layer's.
  std::vector<Statement> statements_;
};

}  // namespace stock::drift
