#include "stock/rpc/stream_loop.h"

#include <algorithm>
#include <utility>

namespace stock::rpc {

struct StreamLoop::Queue {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::shared_ptr<Waker>> ready;
  bool drain = false;
  bool stop = false;
};

void StreamLoop::Waker::wake() {
  if (queued_.exchange(true, std::memory_order_acq_rel)) return;
  auto self = self_.lock();
  {
    const std::lock_guard lock(queue_->mutex);
    if (queue_->stop) return;
    queue_->ready.push_back(std::move(self));
    if (queue_->ready.size() > 1) return;
  }
  queue_->changed.notify_one();
}

StreamLoop::StreamLoop(std::size_t most, const clock::LocalClock& clock)
    : most_(most), clock_(clock), queue_(std::make_shared<Queue>()), thread_([this] { run(); }) {}

StreamLoop::~StreamLoop() {
  {
    const std::lock_guard lock(queue_->mutex);
    queue_->stop = true;
    queue_->ready.clear();
  }
  queue_->changed.notify_one();
  thread_.join();
}

std::shared_ptr<StreamLoop::Waker> StreamLoop::add(Stepper& stepper) {
  if (streams_.fetch_add(1, std::memory_order_relaxed) >= most_) {
    streams_.fetch_sub(1, std::memory_order_relaxed);
    return nullptr;
  }
  auto waker = std::make_shared<Waker>();
  waker->queue_ = queue_;
  waker->stepper_ = &stepper;
  waker->self_ = waker;
  return waker;
}

void StreamLoop::remove(const std::shared_ptr<Waker>& waker) {
  waker->gone_ = true;
  slots_[waker->slot_].erase(waker);
  streams_.fetch_sub(1, std::memory_order_relaxed);
}

void StreamLoop::drain() {
  {
    const std::lock_guard lock(queue_->mutex);
    queue_->drain = true;
  }
  queue_->changed.notify_one();
}

void StreamLoop::run() {
  domain::LocalTime due = clock_.now() + kTick;
  while (true) {
    std::vector<std::shared_ptr<Waker>> ready;
    bool drain = false;
    {
      std::unique_lock lock(queue_->mutex);
      const auto something = [&] {
        return queue_->stop || !queue_->ready.empty() || (queue_->drain && !draining_);
      };
      // Nobody ticks while there is no stream.
      if (streams() == 0) {
        queue_->changed.wait(lock, something);
      } else {
        queue_->changed.wait_for(lock, due - clock_.now(), something);
      }
      if (queue_->stop) return;
      ready.swap(queue_->ready);
      drain = queue_->drain;
    }
    if (drain && !draining_) drain_all();
    for (const auto& waker : ready) step(waker);
    if (const domain::LocalTime now = clock_.now(); now >= due) {
      due = std::max(due + kTick, now);
      tick();
    }
  }
}

// The first time that a stream is seen here it is given a part of the second to tick in.
void StreamLoop::step(const std::shared_ptr<Waker>& waker) {
  // Not a mere store: what the waker wrote before it saw `true` is seen in this step.
  waker->queued_.exchange(false, std::memory_order_acq_rel);
  if (waker->gone_) return;
  if (!waker->known_) {
    waker->known_ = true;
    waker->slot_ = slot_;
    slots_[slot_].insert(waker);
    if (draining_) waker->stepper_->drain();
  }
  if (!waker->gone_) waker->stepper_->step(false);
}

void StreamLoop::drain_all() {
  draining_ = true;
  for (std::size_t i = 0; i < kSlots; ++i) {
    for (const auto& waker : std::vector(slots_[i].begin(), slots_[i].end())) {
      waker->stepper_->drain();
      if (!waker->gone_) waker->stepper_->step(false);
    }
  }
}

void StreamLoop::tick() {
  slot_ = (slot_ + 1) % kSlots;
  for (const auto& waker : std::vector(slots_[slot_].begin(), slots_[slot_].end())) {
    if (!waker->gone_) waker->stepper_->step(true);
  }
}

}  // namespace stock::rpc
