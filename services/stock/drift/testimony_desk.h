// Hears witnesses outside the service.
//
// What memory, by its feed, says too is true, and costs no database anything. The rest waits, in a
// bounded queue, for the ledger's history, and is judged in batches of whatever is waiting then: no
// timer, no connection of those that reads use. When the queue is full, more is refused. What waits
// past its deadline is answered and makes room, unless it is just being judged.
//
// Thread-safe. A thread of its own looks into memory, so that neither judging nor what follows from
// it is done on the serving thread. Outlives its submissions; what it is given outlives it.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "stock/clock/database_clock.h"
#include "stock/clock/local_clock.h"
#include "stock/drift/archive.h"
#include "stock/drift/judge.h"
#include "stock/drift/testimony.h"
#include "stock/drift/witness_clocks.h"
#include "stock/feed/ledger_identity.h"
#include "stock/layers/layer.h"

namespace stock::drift {

// Called from the desk's threads. Must not block.
class TestimonyListener {
 public:
  virtual ~TestimonyListener() = default;
  virtual void judged(const Told& told, const Judged& judged) = 0;
};

class TestimonyDesk {
 public:
  struct Options {
    std::vector<std::string> roster;  // who may testify
    std::size_t queue = 8192;         // testimonies that may wait
    std::size_t batch = 256;          // that are judged together
    std::size_t judges = 2;           // batches at a time: what the desk of history lends
    std::size_t clocks = 10'000;      // witnesses whose clocks are known at a time
    std::chrono::nanoseconds timeout = std::chrono::seconds(5);  // how long one waits at most
    // Whose memory may be asked, and whether it is in use. May be null; answers at once.
    layers::Layer* memory = nullptr;
    std::function<bool()> memory_in_use = [] { return true; };
    // Memory whose word is older is not asked.
    std::chrono::microseconds fresh = std::chrono::seconds(1);
  };

  TestimonyDesk(Options options, HistoryDesk& history, const feed::LedgerIdentity& identity,
                const clock::DatabaseClock& database_clock, const clock::LocalClock& clock,
                std::vector<TestimonyListener*> listeners);
  // Nobody submits any more, and the desk of history has answered or will answer.
  ~TestimonyDesk();
  TestimonyDesk(const TestimonyDesk&) = delete;
  TestimonyDesk& operator=(const TestimonyDesk&) = delete;

  struct Heard {
    std::vector<Told> told;
    std::vector<Judged> judged;  // one for one
  };
  using Done = absl::AnyInvocable<void(absl::StatusOr<Heard>)>;
  // Never blocks. `done` is called once, on any thread. Errors: RESOURCE_EXHAUSTED: too many wait;
  // DEADLINE_EXCEEDED; UNAVAILABLE: the ledger cannot be asked, or its clock is not known yet.
  void submit(std::vector<Testimony> testimonies, domain::LocalTime deadline, Done done);

  [[nodiscard]] const std::vector<std::string>& roster() const { return options_.roster; }
  [[nodiscard]] std::size_t waiting() const { return waiting_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::size_t capacity() const { return options_.queue; }
  [[nodiscard]] const WitnessClocks& clocks() const { return clocks_; }

 private:
  struct Submission;
  struct Open {
    std::shared_ptr<Submission> submission;
    std::size_t index = 0;
  };

  void run();
  std::vector<Open> take_expired();  // with the mutex held
  void hear(const std::shared_ptr<Submission>& submission);
  bool judge_by_memory(const Told& told, Judged& judged) const;
  void send_judges();
  void judge_batch(absl::StatusOr<Archive*>& archive, std::vector<Open> batch);
  void settle(const Open& open, std::size_t testimonies, const absl::Status& status);
  void finish(Submission& submission);

  const Options options_;
  HistoryDesk& history_;
  const feed::LedgerIdentity& identity_;
  const clock::DatabaseClock& database_clock_;
  const clock::LocalClock& clock_;
  const std::vector<TestimonyListener*> listeners_;
  WitnessClocks clocks_;
  std::atomic<std::size_t> waiting_{0};

  std::mutex mutex_;  // guards the rest
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Submission>> arrived_;
  std::deque<Open> open_;  // for the ledger
  std::size_t judging_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace stock::drift
