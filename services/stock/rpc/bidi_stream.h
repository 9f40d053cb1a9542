// One bidirectional stream on the completion queue, which answers each request by one response, in
// their order.
//
// A request is read when the one before has been answered and that has been written: a client that
// does not read, or sends faster than is answered, holds up itself. The stream ends when the client
// has said all, at the first request that fails, when the client goes, or when the server drains:
// what is being answered then is answered first.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "stock/clock/local_clock.h"
#include "stock/clock/wall_clock.h"
#include "stock/rpc/call_observer.h"
#include "stock/rpc/errors.h"
#include "stock/rpc/event.h"
#include "stock/rpc/stream_loop.h"

namespace stock::rpc {

// What all streams of one method share.
template <typename Request, typename Response>
struct BidiMethod {
  std::function<void(grpc::ServerContext*, grpc::ServerAsyncReaderWriter<Response, Request>*,
                     void* tag)>
      accept;
  using Answered = absl::AnyInvocable<void(grpc::Status)>;
  // On the thread of the loop. `answered` is called once, from any thread; until then request and
  // response stay.
  std::function<void(const Request&, Response&, domain::LocalTime deadline, Answered answered)>
      handle;
  const clock::LocalClock* clock = nullptr;
  CallObserver* observer = nullptr;
  StreamLoop* loop = nullptr;
  std::size_t number = 0;                      // with the observer
  std::atomic<std::int64_t>* calls = nullptr;  // stream objects that there are
};

template <typename Request, typename Response>
class BidiStream final : public Stepper {
 public:
  using Method = BidiMethod<Request, Response>;

  // Waits for a stream. On the serving thread, or before it runs.
  static void wait(const Method& method) { new BidiStream(method); }

  void step(bool /*tick*/) override {
    const int state = state_.load(std::memory_order_acquire);
    const bool busy = doing_ != Doing::kNothing && state == kPending;
    if (ended_.load(std::memory_order_acquire)) {
      if (busy || (finishing_ && !finish_done_.load(std::memory_order_acquire))) return;
      return over();
    }
    if (finishing_) return;
    if (draining_ && (doing_ == Doing::kNothing || doing_ == Doing::kReading)) {
      return finish(to_status({.code = grpc::StatusCode::UNAVAILABLE,
                               .reason = "SHUTTING_DOWN",
                               .message = "the server is shutting down: go on with another one",
                               .violations = {},
                               .metadata = {},
                               .retry_after = std::chrono::milliseconds(100)}));
    }
    if (busy) return;
    switch (std::exchange(doing_, Doing::kNothing)) {
      case Doing::kNothing:
      case Doing::kWriting:
        if (state == kFailed) return;  // the client is gone: that is told soon
        request_.Clear();
        begin(Doing::kReading);
        stream_.Read(&request_, &done_);
        return;
      case Doing::kReading:
        if (state == kFailed) return finish(grpc::Status::OK);
        response_.Clear();
        begin(Doing::kAnswering);
        method_.handle(request_, response_, deadline_, [this](grpc::Status status) {
          status_ = std::move(status);
          tell(int{kDone}, state_);
        });
        return;
      case Doing::kAnswering:
        if (!status_.ok()) return finish(status_);
        method_.observer->sent(method_.number);
        begin(Doing::kWriting);
        stream_.Write(response_, &done_);
        return;
    }
  }

  void drain() override { draining_ = true; }

 private:
  enum class Doing { kNothing, kReading, kAnswering, kWriting };

  // Each of these may be the last that the stream waited for: once it is told, another thread may
  // end the stream, so that only the waker is touched.
  struct Tag final : Event {
    BidiStream* stream = nullptr;
    void (BidiStream::*then)(bool) = nullptr;
    void happened(bool ok) override { (stream->*then)(ok); }
  };

  explicit BidiStream(const Method& method) : method_(method), stream_(&context_) {
    method_.calls->fetch_add(1, std::memory_order_relaxed);
    for (Tag* tag : {&accepted_, &done_, &finished_, &over_}) tag->stream = this;
    accepted_.then = &BidiStream::accepted;
    done_.then = &BidiStream::done;
    finished_.then = &BidiStream::finished;
    over_.then = &BidiStream::cancelled;
    context_.AsyncNotifyWhenDone(&over_);
    method_.accept(&context_, &stream_, &accepted_);
  }
  ~BidiStream() override = default;

  void accepted(bool ok) {
    if (!ok) return remove();  // the server shuts down; `over_` never happens
    wait(method_);
    method_.observer->started(method_.number);
    began_ = method_.clock->now();
    deadline_ = clock::local_deadline(context_.deadline(), *method_.clock);
    waker_ = method_.loop->add(*this);
    if (waker_) return waker_->wake();
    finish(to_status({.code = grpc::StatusCode::RESOURCE_EXHAUSTED,
                      .reason = "TOO_MANY_STREAMS",
                      .message = "this server has as many streams as it may have; try another one, "
                                 "or again later",
                      .violations = {},
                      .metadata = {},
                      .retry_after = std::chrono::seconds(1)}));
  }
  void done(bool ok) { tell(int{ok ? kDone : kFailed}, state_); }
  void finished(bool /*ok*/) { tell(true, finish_done_); }
  void cancelled(bool /*ok*/) {
    cancelled_ = context_.IsCancelled();
    tell(true, ended_);
  }

  template <typename Value>
  void tell(Value value, std::atomic<Value>& what) {
    const auto waker = waker_;
    what.store(value, std::memory_order_release);
    if (waker) return waker->wake();
    // Refused: never seen by the loop, and all of it happens on the serving thread.
    if (finish_done_ && ended_) over();
  }

  void begin(Doing what) {
    doing_ = what;
    state_.store(kPending, std::memory_order_relaxed);
  }

  void finish(grpc::Status status) {
    finishing_ = true;
    status_ = std::move(status);
    stream_.Finish(status_, &finished_);
  }

  void over() {
    HandledCall handled;
    const domain::LocalTime now = method_.clock->now();
    handled.duration = now - began_;
    handled.code = status_.error_code();
    if (cancelled_) {
      handled.code =
          now >= deadline_ ? grpc::StatusCode::DEADLINE_EXCEEDED : grpc::StatusCode::CANCELLED;
    }
    const std::string peer = context_.peer();
    const std::string message = status_.error_message();
    handled.peer = peer;
    handled.message = message;
    method_.observer->handled(method_.number, handled);
    if (waker_) method_.loop->remove(waker_);
    remove();
  }

  // Once the count is down, nothing here is: whoever waits for that may end the server.
  void remove() {
    std::atomic<std::int64_t>& calls = *method_.calls;
    delete this;
    calls.fetch_sub(1, std::memory_order_release);
  }

  static constexpr int kPending = 0;
  static constexpr int kDone = 1;
  static constexpr int kFailed = 2;

  const Method& method_;
  grpc::ServerContext context_;
  grpc::ServerAsyncReaderWriter<Response, Request> stream_;
  Tag accepted_;
  Tag done_;
  Tag finished_;
  Tag over_;
  domain::LocalTime began_;
  domain::LocalTime deadline_;
  std::shared_ptr<StreamLoop::Waker> waker_;
  // Told by other threads.
  std::atomic<int> state_{kDone};  // of what is being done
  std::atomic<bool> finish_done_{false};
  std::atomic<bool> ended_{false};
  bool cancelled_ = false;  // once it has ended
  // Of the loop's thread; the status also of whoever answers, meanwhile.
  Doing doing_ = Doing::kNothing;
  Request request_;
  Response response_;
  grpc::Status status_;
  bool finishing_ = false;
  bool draining_ = false;
};

}  // namespace stock::rpc
