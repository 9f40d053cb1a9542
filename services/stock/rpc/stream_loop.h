// The thread on which server streams think: what each has to say next, and saying it.
//
// A stream is woken from any thread (its client has read, something has moved, a read has been
// answered) and then takes a step here; and all of them once a second, so that idle ones can say
// so. So a stream's state belongs to one thread, and neither the tail nor the completion queue's
// thread pays for a burst of writes.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "stock/clock/local_clock.h"

namespace stock::rpc {

// What the loop runs. All but the destructor on the loop's thread.
class Stepper {
 public:
  virtual ~Stepper() = default;
  // Does what can be done now. `tick`: about a second has passed since the last one.
  virtual void step(bool tick) = 0;
  // No more than what is left to say; then the stream ends.
  virtual void drain() = 0;
};

class StreamLoop {
  struct Queue;

 public:
  // Wakes one stream; harmless when that is gone, and when the loop is. Thread-safe.
  class Waker {
   public:
    void wake();

   private:
    friend class StreamLoop;
    std::shared_ptr<Queue> queue_;
    std::atomic<bool> queued_{false};
    std::weak_ptr<Waker> self_;
    // Of the loop's thread.
    Stepper* stepper_ = nullptr;
    bool known_ = false;
    bool gone_ = false;
    std::size_t slot_ = 0;
  };

  // At most `most` streams at a time.
  StreamLoop(std::size_t most, const clock::LocalClock& clock);
  // No stream is left.
  ~StreamLoop();
  StreamLoop(const StreamLoop&) = delete;
  StreamLoop& operator=(const StreamLoop&) = delete;

  // From any thread. Null when there are too many. The stepper stays until remove(); it takes its
  // first step when it is first woken.
  std::shared_ptr<Waker> add(Stepper& stepper);
  // On the loop's thread, out of a step.
  void remove(const std::shared_ptr<Waker>& waker);

  // Every stream ends, those included that are added later.
  void drain();

  [[nodiscard]] std::size_t streams() const { return streams_.load(std::memory_order_relaxed); }

 private:
  // Each stream ticks in one of these parts of a second, so that not all do at once.
  static constexpr std::size_t kSlots = 20;
  static constexpr std::chrono::milliseconds kTick{1000 / kSlots};

  void run();
  void step(const std::shared_ptr<Waker>& waker);
  void drain_all();
  void tick();

  const std::size_t most_;
  const clock::LocalClock& clock_;
  const std::shared_ptr<Queue> queue_;
  std::atomic<std::size_t> streams_{0};
  // Of the thread.
  std::vector<absl::flat_hash_set<std::shared_ptr<Waker>>> slots_{kSlots};
  std::size_t slot_ = 0;
  bool draining_ = false;
  std::thread thread_;
};

}  // namespace stock::rpc
