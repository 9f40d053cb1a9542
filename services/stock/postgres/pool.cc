#include "stock/postgres/pool.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/status/status.h"

namespace stock::postgres {
namespace {

absl::Status too_late() {
  return absl::DeadlineExceededError("the deadline passed while waiting for a connection");
}

}  // namespace

Pool::Pool(const Options& options, const clock::LocalClock& clock, clock::Timers& timers)
    : clock_(clock), capacity_(options.queue) {
  for (std::size_t i = 0; i < options.connections; ++i) {
    sessions_.push_back(std::make_unique<Session>(options.session, clock, timers));
  }
  for (const auto& session : sessions_) {
    threads_.emplace_back([this, &session = *session] { serve(session); });
  }
}

Pool::~Pool() {
  std::deque<Waiting> left;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    left.swap(queue_);
  }
  work_.notify_all();
  for (const auto& session : sessions_) session->stop();
  for (Waiting& waiting : left) waiting.task(absl::UnavailableError("this program is stopping"));
  for (std::thread& thread : threads_) thread.join();
}

void Pool::submit(domain::LocalTime deadline, Task task) {
  std::vector<Waiting> expired;
  const absl::Status refused = enqueue(deadline, task, expired);
  if (refused.ok()) {
    work_.notify_one();
  } else {
    task(refused);
  }
  for (Waiting& waiting : expired) waiting.task(too_late());
}

absl::Status Pool::enqueue(domain::LocalTime deadline, Task& task, std::vector<Waiting>& expired) {
  const std::lock_guard lock(mutex_);
  if (queue_.size() >= capacity_) expired = take_expired();
  if (stopping_) return absl::UnavailableError("this program is stopping");
  if (queue_.size() >= capacity_) {
    return absl::ResourceExhaustedError("too many requests wait for the database");
  }
  queue_.push_back({deadline, std::move(task)});
  return absl::OkStatus();
}

Pool::Stats Pool::stats() const {
  Stats stats;
  for (const auto& session : sessions_) stats.connections_up += session->connected() ? 1 : 0;
  const std::lock_guard lock(mutex_);
  stats.busy = busy_;
  stats.queued = queue_.size();
  return stats;
}

void Pool::serve(Session& session) {
  std::unique_lock lock(mutex_);
  while (true) {
    work_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    Waiting next = std::move(queue_.front());
    queue_.pop_front();
    ++busy_;
    lock.unlock();
    if (clock_.now() >= next.deadline) {
      next.task(too_late());
    } else {
      next.task(&session);
    }
    next.task = nullptr;  // what it holds ends outside the lock
    lock.lock();
    --busy_;
  }
}

std::vector<Pool::Waiting> Pool::take_expired() {
  const auto first = std::stable_partition(
      queue_.begin(), queue_.end(),
      [now = clock_.now()](const Waiting& waiting) { return now < waiting.deadline; });
  std::vector<Waiting> expired(std::make_move_iterator(first),
                               std::make_move_iterator(queue_.end()));
  queue_.erase(first, queue_.end());
  return expired;
}

}  // namespace stock::postgres
