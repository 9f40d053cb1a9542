#include "stock/clock/timer_thread.h"

namespace stock::clock {

TimerThread::TimerThread(const LocalClock& clock) : clock_(clock), thread_([this] { run(); }) {}

TimerThread::~TimerThread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

Timers::Id TimerThread::at(domain::LocalTime when, absl::AnyInvocable<void()> action) {
  bool sooner = false;
  Id id = 0;
  {
    const std::lock_guard lock(mutex_);
    id = next_id_++;
    due_.emplace(std::pair(when, id), std::move(action));
    when_.emplace(id, when);
    sooner = when < wakes_at_;
  }
  if (sooner) changed_.notify_one();
  return id;
}

void TimerThread::cancel(Id id) {
  const std::lock_guard lock(mutex_);
  const auto it = when_.find(id);
  if (it == when_.end()) return;
  due_.erase({it->second, id});
  when_.erase(it);
}

void TimerThread::drain() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this, started = started_] { return finished_ >= started; });
}

void TimerThread::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (due_.empty()) {
      wakes_at_ = domain::LocalTime::max();
      changed_.wait(lock);
      continue;
    }
    const auto first = due_.begin();
    const auto wait = first->first.first - clock_.now();
    if (wait > wait.zero()) {
      wakes_at_ = first->first.first;
      changed_.wait_for(lock, wait);
      continue;
    }
    wakes_at_ = domain::LocalTime::min();
    auto action = std::move(first->second);
    when_.erase(first->first.second);
    due_.erase(first);
    ++started_;
    lock.unlock();
    action();
    action = nullptr;
    lock.lock();
    ++finished_;
    idle_.notify_all();
  }
}

}  // namespace stock::clock
