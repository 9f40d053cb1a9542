// Threads that wait for a database so that nobody else has to: each with a session of its own, fed
// from one bounded queue. Thread-safe. What it is given must outlive it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "stock/clock/local_clock.h"
#include "stock/clock/timers.h"
#include "stock/domain/time.h"
#include "stock/postgres/session.h"

namespace stock::postgres {

class Pool {
 public:
  struct Options {
    SessionOptions session;
    std::size_t connections = 4;
    std::size_t queue = 1024;
  };
  struct Stats {
    std::size_t connections_up = 0;
    std::size_t busy = 0;
    std::size_t queued = 0;
  };
  // Called exactly once: with a session, on a thread of the pool, which it may block; or with the
  // reason why there is none, on any thread, which it must not block. DEADLINE_EXCEEDED: nobody
  // waits for it any more. RESOURCE_EXHAUSTED: too many wait. UNAVAILABLE: the pool is stopping.
  using Task = absl::AnyInvocable<void(absl::StatusOr<Session*>)>;

  Pool(const Options& options, const clock::LocalClock& clock, clock::Timers& timers);
  // Ends what is under way, and answers everything.
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Never blocks. The task is not begun after `deadline`.
  void submit(domain::LocalTime deadline, Task task);

  [[nodiscard]] Stats stats() const;

 private:
  struct Waiting {
    domain::LocalTime deadline;
    Task task;
  };
  // Takes the task, unless there is an error. What has expired made room for it.
  absl::Status enqueue(domain::LocalTime deadline, Task& task, std::vector<Waiting>& expired);
  void serve(Session& session);
  std::vector<Waiting> take_expired();  // with the mutex held

  const clock::LocalClock& clock_;
  const std::size_t capacity_;
  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::deque<Waiting> queue_;
  std::size_t busy_ = 0;
  bool stopping_ = false;
  std::vector<std::unique_ptr<Session>> sessions_;
  std::vector<std::thread> threads_;
};

}  // namespace stock::postgres
