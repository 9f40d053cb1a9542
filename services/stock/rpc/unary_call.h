// One unary call on the completion queue, from being waited for to being answered.
//
// A call object waits for a call, hands it to its method's handler, and is gone when the answer is
// written and gRPC has said how the call ended. The handler answers with finish(), once, from any
// thread; until then it may use everything here.
#pragma once

#include <google/protobuf/arena.h>
#include <grpcpp/grpcpp.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>

#include "stock/clock/local_clock.h"
#include "stock/clock/wall_clock.h"
#include "stock/layers/layer.h"
#include "stock/rpc/call_observer.h"
#include "stock/rpc/event.h"
#include "stock/rpc/outbox.h"

namespace stock::rpc {

template <typename Request, typename Response>
class UnaryCall;

// What all calls of one method share.
template <typename Request, typename Response>
struct UnaryMethod {
  std::function<void(grpc::ServerContext*, Request*, grpc::ServerAsyncResponseWriter<Response>*,
                     void* tag)>
      accept;
  std::function<void(UnaryCall<Request, Response>&)> handle;
  const clock::LocalClock* clock = nullptr;
  CallObserver* observer = nullptr;
  Outbox* outbox = nullptr;
  std::size_t number = 0;                      // with the observer
  std::atomic<std::int64_t>* calls = nullptr;  // call objects that there are
};

template <typename Request, typename Response>
class UnaryCall {
 public:
  using Method = UnaryMethod<Request, Response>;

  // Waits for a call. On the serving thread, or before it runs.
  static void wait(const Method& method) { new UnaryCall(method); }

  // Both in one arena, as long as the call: the response may hold parts of the request. A response
  // may also be a grpc::ByteBuffer, of a message's bytes.
  Request& request() { return request_; }
  Response& response() { return response_; }
  grpc::ServerContext& context() { return context_; }
  [[nodiscard]] layers::ReadContext read_context() const { return {deadline_, &cancelled_}; }
  [[nodiscard]] domain::LocalTime deadline() const { return deadline_; }

  // Sends the response, or the error. Nothing of the call may be touched afterwards.
  void finish(grpc::Status status) {
    status_ = std::move(status);
    if (method_.outbox->here()) {
      send();
    } else {
      method_.outbox->leave(answer_);
    }
  }

 private:
  struct Answer final : Outbox::Letter {
    UnaryCall* call = nullptr;
    void send() override { call->send(); }
  };
  struct Accepted final : Event {
    UnaryCall* call = nullptr;
    void happened(bool ok) override { call->accepted(ok); }
  };
  struct Finished final : Event {
    UnaryCall* call = nullptr;
    void happened(bool) override { call->over(); }
  };
  struct Ended final : Event {
    UnaryCall* call = nullptr;
    void happened(bool) override {
      if (call->context_.IsCancelled()) call->cancelled_.store(true, std::memory_order_relaxed);
      call->over();
    }
  };

  // Enough for messages about one key. What those about many need besides comes in larger blocks.
  static constexpr std::size_t kBlockBytes = 1536;
  static google::protobuf::ArenaOptions arena_options(std::array<char, kBlockBytes>& block) {
    google::protobuf::ArenaOptions options;
    options.initial_block = block.data();
    options.initial_block_size = block.size();
    options.start_block_size = 8 << 10;
    options.max_block_size = 64 << 10;
    return options;
  }

  static Response* make_response(google::protobuf::Arena& arena) {
    if constexpr (std::is_same_v<Response, grpc::ByteBuffer>) {
      return google::protobuf::Arena::Create<Response>(&arena);
    } else {
      return google::protobuf::Arena::CreateMessage<Response>(&arena);
    }
  }

  explicit UnaryCall(const Method& method)
      : method_(method),
        arena_(arena_options(block_)),
        request_(*google::protobuf::Arena::CreateMessage<Request>(&arena_)),
        response_(*make_response(arena_)),
        writer_(&context_) {
    method_.calls->fetch_add(1, std::memory_order_relaxed);
    accepted_.call = answer_.call = finished_.call = ended_.call = this;
    context_.AsyncNotifyWhenDone(&ended_);
    method_.accept(&context_, &request_, &writer_, &accepted_);
  }
  ~UnaryCall() = default;

  void accepted(bool ok) {
    if (!ok) return remove();  // the server shuts down; `ended_` never happens
    wait(method_);
    method_.observer->started(method_.number);
    began_ = method_.clock->now();
    deadline_ = clock::local_deadline(context_.deadline(), *method_.clock);
    method_.handle(*this);
  }

  void send() {
    if (status_.ok()) {
      writer_.Finish(response_, status_, &finished_);
    } else {
      writer_.FinishWithError(status_, &finished_);
    }
  }

  // After the answer and the end of the call, in either order. Like all that happens from send()
  // on, on the serving thread.
  void over() {
    if (--pending_ > 0) return;
    HandledCall handled;
    const domain::LocalTime now = method_.clock->now();
    handled.duration = now - began_;
    handled.code = status_.error_code();
    if (cancelled_) {
      handled.code =
          now >= deadline_ ? grpc::StatusCode::DEADLINE_EXCEEDED : grpc::StatusCode::CANCELLED;
    }
    std::string peer;
    std::string message;
    if (handled.code != grpc::StatusCode::OK) {
      const auto& metadata = context_.client_metadata();
      if (const auto it = metadata.find("traceparent"); it != metadata.end()) {
        handled.traceparent = {it->second.data(), it->second.size()};
      }
      peer = context_.peer();
      handled.peer = peer;
      message = status_.error_message();
      handled.message = message;
    }
    method_.observer->handled(method_.number, handled);
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
  // Messages are made of many small parts, which come and go all at once.
  alignas(std::max_align_t) std::array<char, kBlockBytes> block_;
  google::protobuf::Arena arena_;
  Request& request_;
  Response& response_;
  grpc::ServerAsyncResponseWriter<Response> writer_;
  Accepted accepted_;
  Answer answer_;
  Finished finished_;
  Ended ended_;
  grpc::Status status_;
  domain::LocalTime began_;
  domain::LocalTime deadline_;
  std::atomic<bool> cancelled_{false};
  int pending_ = 2;
};

}  // namespace stock::rpc
