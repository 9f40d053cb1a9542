// Answers that other threads give, sent by the serving thread.
//
// Whoever has found an answer goes on at once: a lane with the next batch, the thread of a layer
// with the next replies; and two threads do not meet within gRPC. What is left while the serving
// thread is busy is one event for all of it. It costs a lone answer one more change of threads:
// tests/bench/NOTES.md has both sides.
#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "stock/rpc/event.h"

namespace stock::rpc {

class Outbox final : public Event {
 public:
  // What is to be sent. Belongs to the outbox from leave() to send().
  class Letter {
   public:
    virtual void send() = 0;  // on the serving thread

   protected:
    ~Letter() = default;

   private:
    friend class Outbox;
    Letter* next_ = nullptr;
  };

  // Before the serving thread runs.
  void attach(grpc::ServerCompletionQueue& queue) { queue_ = &queue; }
  // On the serving thread, before anything else there.
  void serve_here() { serving_.store(std::this_thread::get_id(), std::memory_order_relaxed); }
  [[nodiscard]] bool here() const {
    return serving_.load(std::memory_order_relaxed) == std::this_thread::get_id();
  }

  // On any thread. Letters are sent in the order in which they were left. Nothing of the letter may
  // be touched afterwards.
  void leave(Letter& letter);
  // Whether nobody is within leave() any more: then the queue may end, once nobody can call it.
  [[nodiscard]] bool idle() const { return leaving_.load(std::memory_order_acquire) == 0; }

 private:
  void happened(bool ok) override;  // the alarm has rung

  std::atomic<std::thread::id> serving_{};
  grpc::ServerCompletionQueue* queue_ = nullptr;
  std::atomic<int> leaving_{0};
  std::mutex mutex_;
  Letter* first_ = nullptr;
  Letter** end_ = &first_;
  grpc::Alarm alarm_;  // of whoever has left the first letter
};

}  // namespace stock::rpc
