// The one way into the ledger: requests that wait at the same moment become one transaction.
//
// Row-at-a-time writing is slow exactly when it matters, on the key that everybody buys. Here a
// batch closes when it is full or when the previous one has been committed; there is no timer, so a
// lone request does not wait.
//
// submit() and queue_length() may be called from any thread and never wait for the database. One
// thread of the batcher's own talks to the Store and calls back, with no lock held. The store, the
// clock and the observer outlive the batcher.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "stock/clock/local_clock.h"
#include "stock/domain/time.h"
#include "stock/ledger/observer.h"
#include "stock/ledger/store.h"
#include "stock/ledger/write.h"

namespace stock::ledger {

class Batcher {
 public:
  struct Options {
    std::size_t max_requests = 256;  // per batch; past this, throughput falls again
    std::size_t max_lines = 4096;    // changes per batch; one request may have more, alone
    std::size_t max_queue = 4096;    // requests that wait
    // Between attempts at a batch: twice as long each time, and jittered.
    std::chrono::nanoseconds min_backoff = std::chrono::milliseconds(2);
    std::chrono::nanoseconds max_backoff = std::chrono::milliseconds(250);
  };

  // Called exactly once, on the batcher's thread, or on that of submit() when nothing was accepted.
  // Must not block, and must not stop the batcher.
  using Done = absl::AnyInvocable<void(Outcome)>;

  Batcher(const Options& options, Store& store, const clock::LocalClock& clock, Observer& observer);
  // Stops at once: what has not been decided is refused.
  ~Batcher();
  Batcher(const Batcher&) = delete;
  Batcher& operator=(const Batcher&) = delete;

  // The request is decided in order of arrival. After `deadline` it is not begun any more
  // (kDeadline), nor tried again (kUnavailable: whether it was applied is said in the message).
  // kQueueFull and kUnavailable (stopping) come at once.
  void submit(Request request, domain::LocalTime deadline, Done done);

  // Accepts no more, and returns when all that was accepted is answered: by what came of it, or
  // from `deadline` on by kUnavailable. What the database is doing at that moment is waited for.
  void stop(domain::LocalTime deadline);

  // Requests accepted and not yet taken into a batch.
  [[nodiscard]] std::size_t queue_length() const;

 private:
  struct Pending {
    Request request;
    domain::LocalTime deadline;
    Done done;
    // A commit was lost that may have applied it: only the locks can tell.
    bool unknown = false;
    absl::Status failure;  // of the last attempt
  };
  using Batch = std::vector<Pending>;

  void run();
  // The next batch; waits for one. Empty: stopped, and nothing is left.
  Batch take();
  // Answers all of the batch, whatever it takes.
  void finish(Batch batch);
  // Answers the batch and empties it. An error leaves all of it; without one, those are left whose
  // fate is not known yet.
  absl::Status attempt(Batch& batch);
  // One of them is not acceptable: one at a time, it fails alone.
  void run_alone(Batch batch);
  // Refuses those of the batch that have run out of time, or all when the batcher has.
  void expire(Batch& batch);
  // The same for those that wait behind a batch that does not get through.
  void expire_queue();
  // Returns sooner when a request of the batch or the batcher runs out of time.
  void back_off(const Batch& batch, int failures);
  [[nodiscard]] domain::LocalTime stop_deadline() const;

  void answer_all(Batch& batch, std::vector<Outcome> outcomes);
  void answer(Pending& pending, Outcome outcome);
  // The answer to one that will not be tried again.
  void give_up(Pending& pending, Reason reason, const std::string& why);

  const Options options_;
  Store& store_;
  const clock::LocalClock& clock_;
  Observer& observer_;
  std::minstd_rand random_{std::random_device{}()};  // the batcher's thread's

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Pending> queue_;  // this and the next: guarded by mutex_
  bool stopping_ = false;
  domain::LocalTime stop_deadline_ = domain::LocalTime::max();

  std::mutex joining_;
  std::thread thread_;
};

}  // namespace stock::ledger
