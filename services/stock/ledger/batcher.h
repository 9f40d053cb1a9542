// The one way into the ledger: requests that wait at the same moment become one transaction.
//
// Row-at-a-time writing is slow exactly when it matters, on the key that everybody buys. Here a
// batch closes when it is full or when the previous one has been committed; there is no timer, so a
// lone request does not wait.
//
// submit() and queue_length() may be called from any thread and never wait for the database. One
// thread of the batcher's own talks to the Store and calls back, with no lock held. The store, the
// clock, the observer and the announcer outlive the batcher.
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
#include "stock/admission/adaptive_limit.h"
#include "stock/clock/local_clock.h"
#include "stock/domain/time.h"
#include "stock/ledger/announcer.h"
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
    // When all wait for longer than this, new ones are refused, but for those of the next batch.
    std::chrono::nanoseconds target_wait = std::chrono::milliseconds(100);
    // Between attempts at a batch: twice as long each time, and jittered.
    std::chrono::nanoseconds min_backoff = std::chrono::milliseconds(2);
    std::chrono::nanoseconds max_backoff = std::chrono::milliseconds(250);
    // Between looks at levels that somebody else keeps locked.
    std::chrono::nanoseconds look_interval = std::chrono::milliseconds(25);
  };

  // Called exactly once, on the batcher's thread, or on that of submit() when nothing was accepted.
  // Must not block, and must not stop the batcher.
  using Done = absl::AnyInvocable<void(Outcome)>;

  // Levels that a transaction left, one for one.
  struct Announcements {
    std::vector<domain::Key> keys;
    std::vector<domain::Reading> levels;
  };

  // `announcer`: may be null.
  Batcher(const Options& options, Store& store, const clock::LocalClock& clock, Observer& observer,
          Announcer* announcer = nullptr);
  // Stops at once: what has not been decided is refused.
  ~Batcher();
  Batcher(const Batcher&) = delete;
  Batcher& operator=(const Batcher&) = delete;

  // The request is decided in order of arrival. After `deadline` it is not begun any more
  // (kDeadline), nor tried again (kUnavailable: whether it was applied is said in the message).
  // kQueueFull, kOverloaded and kUnavailable (stopping) come at once; kQueueFull also later, where
  // too many wait for levels that somebody else keeps locked.
  void submit(Request request, domain::LocalTime deadline, Done done);

  // Accepts no more, and returns when all that was accepted is answered: by what came of it, or
  // from `deadline` on by kUnavailable. What the database is doing at that moment is waited for.
  void stop(domain::LocalTime deadline);

  // Requests accepted and not yet taken into a batch.
  [[nodiscard]] std::size_t queue_length() const;
  // As many may wait at present.
  [[nodiscard]] std::size_t queue_limit() const;

 private:
  struct Pending {
    Request request;
    domain::LocalTime deadline;
    domain::LocalTime accepted;
    Done done;
    // A commit was lost that may have applied it: only the locks can tell.
    bool unknown = false;
    absl::Status failure;  // of the last attempt
    domain::Key behind;    // the level for which it was put aside
  };
  using Batch = std::vector<Pending>;

  void run();
  // The next batch; waits for one. Empty: stopped, and nothing is left; or it is time to look at
  // what was put aside.
  Batch take();
  // Answers all of the batch, whatever it takes.
  void finish(Batch batch);
  static std::vector<const Request*> requests_of(const Batch& batch);
  // Answers the batch and empties it. An error leaves all of it; without one, those are left whose
  // fate is not known yet, or who need what more holds that have ended are to give back. `keys`
  // become those that were to be locked.
  absl::Status attempt(Batch& batch, std::vector<domain::Key>& keys);
  // The reservations that they name have more lines than was to be seen. In order of arrival.
  void run_in_halves(Batch batch);
  // One of them is not acceptable: one at a time, it fails alone.
  void run_alone(Batch batch);
  // Puts aside those that need a level that is kept locked, to the end of what waits there.
  void put_aside(Batch& batch, const Reservations& reservations);
  // Finds out who keeps what locked of `keys`, for which we have waited in vain, and whether what
  // was kept locked still is, by the same one. What changes hands is waited for as usual.
  void look(std::vector<domain::Key> keys);
  // Answers what was put aside and can go on, or has run out of time.
  void resume();
  // Refuses those of the batch that have run out of time, or all when the batcher has.
  void expire(Batch& batch);
  // The same for those that wait behind a batch that does not get through.
  void expire_queue();
  // Returns sooner when a request of the batch or the batcher runs out of time.
  void back_off(const Batch& batch, int failures);
  [[nodiscard]] domain::LocalTime stop_deadline() const;

  // `more_due`: of what is short now, more comes back by the next transaction.
  void answer_all(Batch& batch, std::vector<Outcome> outcomes, bool more_due);
  void answer(Pending& pending, Outcome outcome);
  // The answer to one that will not be tried again.
  void give_up(Pending& pending, Reason reason, const std::string& why);

  const Options options_;
  Store& store_;
  const clock::LocalClock& clock_;
  Observer& observer_;
  Announcer* const announcer_;
  // The batcher's thread's. Levels that somebody else keeps locked, and what waits for them: it
  // holds up nobody else, however much of it comes.
  std::minstd_rand random_{std::random_device{}()};
  Holders held_;
  domain::LocalTime look_at_{};
  Batch aside_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Pending> queue_;  // this and the next: guarded by mutex_
  admission::AdaptiveLimit limit_;
  bool stopping_ = false;
  domain::LocalTime stop_deadline_ = domain::LocalTime::max();

  std::mutex joining_;
  std::thread thread_;
};

}  // namespace stock::ledger
