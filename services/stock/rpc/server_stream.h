// One server stream on the completion queue, from being waited for to its end.
//
// What is said on it comes from a source, which its method's handler makes; the source is asked
// again and again, on the thread of the stream loop, and only when what it said before has been
// written: a client that does not read stops its own stream and nothing else. A stream ends when
// its source says so, when the client goes, at the deadline, or when the server drains: then the
// source has the last word.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "stock/clock/local_clock.h"
#include "stock/clock/wall_clock.h"
#include "stock/rpc/call_observer.h"
#include "stock/rpc/errors.h"
#include "stock/rpc/event.h"
#include "stock/rpc/stream_loop.h"

namespace stock::rpc {

// What a stream says. Belongs to the thread of the loop, where it is made and ended too.
template <typename Response>
class StreamSource {
 public:
  enum class Next {
    kNothing,  // wake the stream when there is something; it is asked again every second as well
    kMessage,  // `response` is to be sent
    kEnd,      // the stream ends with end()
  };

  virtual ~StreamSource() = default;
  // `response` is empty. `tick`: about a second has passed since the last one.
  virtual Next next(Response& response, bool tick) = 0;
  // How the stream ends. May add to its trailing metadata.
  virtual grpc::Status end(grpc::ServerContext& context) = 0;
  // The server has to go: at most one more message, then kEnd.
  virtual void drain() = 0;
};

// What all streams of one method share.
template <typename Request, typename Response>
struct StreamMethod {
  using Source = StreamSource<Response>;
  std::function<void(grpc::ServerContext*, Request*, grpc::ServerAsyncWriter<Response>*, void* tag)>
      accept;
  // On the thread of the loop. Null with a status that is not OK: the stream ends with that.
  std::function<std::unique_ptr<Source>(const Request&, std::shared_ptr<StreamLoop::Waker>,
                                        grpc::Status&)>
      open;
  const clock::LocalClock* clock = nullptr;
  CallObserver* observer = nullptr;
  StreamLoop* loop = nullptr;
  std::size_t number = 0;                      // with the observer
  std::atomic<std::int64_t>* calls = nullptr;  // stream objects that there are
};

template <typename Request, typename Response>
class ServerStream final : public Stepper {
 public:
  using Method = StreamMethod<Request, Response>;

  // Waits for a stream. On the serving thread, or before it runs.
  static void wait(const Method& method) { new ServerStream(method); }

  void step(bool tick) override {
    if (ended_.load(std::memory_order_acquire)) {
      const bool under_way = busy_.load(std::memory_order_acquire) ||
                             (finishing_ && !finished_.load(std::memory_order_acquire));
      if (!under_way) over();
      return;
    }
    if (finishing_ || busy_.load(std::memory_order_acquire)) return;
    if (!source_) {
      status_ = {grpc::StatusCode::UNAVAILABLE, "the server is shutting down"};
      if (!draining_) source_ = method_.open(request_, waker_, status_);
      if (!source_) return finish();
    }
    using Next = typename StreamSource<Response>::Next;
    response_.Clear();
    switch (source_->next(response_, tick)) {
      case Next::kNothing:
        return;
      case Next::kMessage:
        method_.observer->sent(method_.number);
        busy_.store(true, std::memory_order_release);
        writer_.Write(response_, &written_);
        return;
      case Next::kEnd:
        status_ = source_->end(context_);
        return finish();
    }
  }

  void drain() override {
    draining_ = true;
    if (source_) source_->drain();
  }

 private:
  // Each of these may be the last that the stream waited for: once it is told, another thread may
  // end the stream, so that only the waker is touched.
  struct Accepted final : Event {
    ServerStream* stream = nullptr;
    void happened(bool ok) override { stream->accepted(ok); }
  };
  struct Written final : Event {
    ServerStream* stream = nullptr;
    void happened(bool) override { stream->told(stream->busy_, false); }
  };
  struct Finished final : Event {
    ServerStream* stream = nullptr;
    void happened(bool) override { stream->told(stream->finished_, true); }
  };
  struct Ended final : Event {
    ServerStream* stream = nullptr;
    void happened(bool) override {
      stream->cancelled_ = stream->context_.IsCancelled();
      stream->told(stream->ended_, true);
    }
  };

  explicit ServerStream(const Method& method) : method_(method), writer_(&context_) {
    method_.calls->fetch_add(1, std::memory_order_relaxed);
    accepted_.stream = written_.stream = finish_.stream = end_.stream = this;
    context_.AsyncNotifyWhenDone(&end_);
    method_.accept(&context_, &request_, &writer_, &accepted_);
  }
  ~ServerStream() override = default;

  void accepted(bool ok) {
    if (!ok) return remove();  // the server shuts down; `end_` never happens
    wait(method_);
    method_.observer->started(method_.number);
    began_ = method_.clock->now();
    deadline_ = clock::local_deadline(context_.deadline(), *method_.clock);
    waker_ = method_.loop->add(*this);
    if (waker_) return waker_->wake();
    status_ = to_status({.code = grpc::StatusCode::RESOURCE_EXHAUSTED,
                         .reason = "TOO_MANY_STREAMS",
                         .message = "this server has as many streams as it may have; try another "
                                    "one, or again later",
                         .violations = {},
                         .metadata = {},
                         .retry_after = std::chrono::seconds(1)});
    finish();
  }

  void finish() {
    finishing_ = true;
    writer_.Finish(status_, &finish_);
  }

  void told(std::atomic<bool>& what, bool value) {
    const auto waker = waker_;
    if (waker) {
      what.store(value, std::memory_order_release);
      return waker->wake();
    }
    // Refused: never seen by the loop, and all of it happens on the serving thread.
    what.store(value, std::memory_order_release);
    if (finished_ && ended_) over();
  }

  void over() {
    source_.reset();
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
    const auto& metadata = context_.client_metadata();
    if (const auto it = metadata.find("traceparent"); it != metadata.end()) {
      handled.traceparent = {it->second.data(), it->second.size()};
    }
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

  const Method& method_;
  grpc::ServerContext context_;
  Request request_;
  grpc::ServerAsyncWriter<Response> writer_;
  Accepted accepted_;
  Written written_;
  Finished finish_;
  Ended end_;
  domain::LocalTime began_;
  domain::LocalTime deadline_;
  std::shared_ptr<StreamLoop::Waker> waker_;
  // Told by the serving thread.
  std::atomic<bool> busy_{false};  // a write is under way
  std::atomic<bool> finished_{false};
  std::atomic<bool> ended_{false};
  bool cancelled_ = false;  // once it has ended
  // Of the loop's thread.
  std::unique_ptr<StreamSource<Response>> source_;
  Response response_;
  grpc::Status status_;
  bool finishing_ = false;
  bool draining_ = false;
};

}  // namespace stock::rpc
