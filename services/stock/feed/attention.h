// Whether anybody wants to know: reads leave a note, which costs them next to nothing, and whoever
// works for them rests when there was none for a while.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>

namespace stock::feed {

class Attention {
 public:
  // From any thread, for every read. Wakes the one that rests; a note that is there already costs
  // one load.
  void note() {
    if (noted_.load(std::memory_order_relaxed)) return;
    noted_.store(true, std::memory_order_seq_cst);
    if (!resting_.load(std::memory_order_seq_cst)) return;
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
  }

  // Whether there was a note since the last call.
  bool take() { return noted_.exchange(false, std::memory_order_relaxed); }

  // Waits. When `wake_on_note`, a note ends it, one that is there already as well. False: stopped.
  bool rest(std::chrono::nanoseconds time, bool wake_on_note) {
    std::unique_lock lock(mutex_);
    resting_.store(wake_on_note, std::memory_order_seq_cst);
    changed_.wait_for(lock, time, [&] {
      return stopped_ || (wake_on_note && noted_.load(std::memory_order_seq_cst));
    });
    resting_.store(false, std::memory_order_relaxed);
    return !stopped_;
  }

  // Ends every rest, for good.
  void stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
  }
  [[nodiscard]] bool stopped() {
    const std::lock_guard lock(mutex_);
    return stopped_;
  }

 private:
  std::atomic<bool> noted_{false};
  std::atomic<bool> resting_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopped_ = false;
};

}  // namespace stock::feed
