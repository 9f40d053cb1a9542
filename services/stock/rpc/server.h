// The gRPC server: one completion queue, served by one thread.
//
// One queue with one thread costs the least processor time per call (measured: 17 to 19 µs, against
// 27 for the callback API and 32 for a second queue or the stock health service, whose pollers
// compete for the process's one epoll set); a machine with more cores runs more processes.
//
// One call of each method is waited for at a time: the next one as soon as that has come, and what
// comes meanwhile waits within gRPC. Each object that waits costs every call: where gRPC was built
// with its assertions, as Debian's is, it looks for each event's tag among those of all objects,
// one by one (measured: 23,000 of 90,000 instructions per call, with 1,700 objects).
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "stock/clock/local_clock.h"
#include "stock/rpc/bidi_stream.h"
#include "stock/rpc/call_observer.h"
#include "stock/rpc/health.h"
#include "stock/rpc/outbox.h"
#include "stock/rpc/server_stream.h"
#include "stock/rpc/stream_loop.h"
#include "stock/rpc/unary_call.h"

namespace stock::rpc {

class Server {
 public:
  struct Options {
    std::string address = "127.0.0.1:7070";  // port 0: any
    bool share_port = false;  // with other processes; else a second one there cannot start
    int max_message_bytes = 4 << 20;
    int max_concurrent_streams = 1000;  // per connection
    std::chrono::milliseconds max_connection_age{std::chrono::minutes(30)};
    std::chrono::milliseconds keepalive_time{std::chrono::seconds(60)};
    std::size_t max_streams = 10'000;  // server streams, of all connections
  };

  Server(Options options, const clock::LocalClock& clock, CallObserver& observer);
  ~Server();

  // Before start(). `service` outlives the server.
  void add_service(grpc::Service& service) { services_.push_back(&service); }
  // Before start(). `request` is the generated Request… method, bound to its service.
  template <typename Request, typename Response, typename Accept, typename Handle>
  void add_method(std::string_view service, std::string_view name, Accept request, Handle handle);

  // The same for a server stream, that `open` makes a source for (server_stream.h).
  template <typename Request, typename Response, typename Accept, typename Open>
  void add_stream(std::string_view service, std::string_view name, Accept request, Open open);

  // And for one that answers each request, by `handle` (bidi_stream.h).
  template <typename Request, typename Response, typename Accept, typename Handle>
  void add_bidi_stream(std::string_view service, std::string_view name, Accept request,
                       Handle handle);

  // UNAVAILABLE: the address cannot be listened on.
  absl::Status start();
  [[nodiscard]] int port() const { return port_; }
  // To this server, within the process. After start().
  [[nodiscard]] std::shared_ptr<grpc::Channel> in_process() {
    return server_->InProcessChannel(grpc::ChannelArguments());
  }
  [[nodiscard]] Health& health() { return health_; }
  // Those of add_stream() that there are.
  [[nodiscard]] std::size_t streams() const { return streams_.streams(); }

  // Accepts nothing new, ends the streams, and waits for what has been accepted, up to `timeout`;
  // then cuts off what is left. Returns when every call is over.
  void drain(std::chrono::milliseconds timeout);

 private:
  void serve();

  const Options options_;
  const clock::LocalClock& clock_;
  CallObserver& observer_;
  Health health_;
  StreamLoop streams_;
  Outbox outbox_;
  std::vector<grpc::Service*> services_;
  std::vector<std::shared_ptr<void>> methods_;
  std::vector<std::function<void()>> post_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
  std::atomic<std::int64_t> calls_{0};  // objects that wait for a call or answer one
  std::thread thread_;
  int port_ = 0;
};

template <typename Request, typename Response, typename Accept, typename Handle>
void Server::add_method(std::string_view service, std::string_view name, Accept request,
                        Handle handle) {
  auto method = std::make_shared<UnaryMethod<Request, Response>>();
  method->accept = [this, request = std::move(request)](
                       grpc::ServerContext* context, Request* message,
                       grpc::ServerAsyncResponseWriter<Response>* writer, void* tag) {
    request(context, message, writer, queue_.get(), queue_.get(), tag);
  };
  method->handle = std::move(handle);
  method->clock = &clock_;
  method->observer = &observer_;
  method->outbox = &outbox_;
  method->number = observer_.method(service, name, false);
  method->calls = &calls_;
  post_.push_back([method = method.get()] { UnaryCall<Request, Response>::wait(*method); });
  methods_.push_back(std::move(method));
}

template <typename Request, typename Response, typename Accept, typename Open>
void Server::add_stream(std::string_view service, std::string_view name, Accept request,
                        Open open) {
  auto method = std::make_shared<StreamMethod<Request, Response>>();
  method->accept = [this, request = std::move(request)](
                       grpc::ServerContext* context, Request* message,
                       grpc::ServerAsyncWriter<Response>* writer, void* tag) {
    request(context, message, writer, queue_.get(), queue_.get(), tag);
  };
  method->open = std::move(open);
  method->clock = &clock_;
  method->observer = &observer_;
  method->loop = &streams_;
  method->number = observer_.method(service, name, true);
  method->calls = &calls_;
  post_.push_back([method = method.get()] { ServerStream<Request, Response>::wait(*method); });
  methods_.push_back(std::move(method));
}

template <typename Request, typename Response, typename Accept, typename Handle>
void Server::add_bidi_stream(std::string_view service, std::string_view name, Accept request,
                             Handle handle) {
  auto method = std::make_shared<BidiMethod<Request, Response>>();
  method->accept = [this, request = std::move(request)](
                       grpc::ServerContext* context,
                       grpc::ServerAsyncReaderWriter<Response, Request>* stream,
                       void* tag) { request(context, stream, queue_.get(), queue_.get(), tag); };
  method->handle = std::move(handle);
  method->clock = &clock_;
  method->observer = &observer_;
  method->loop = &streams_;
  method->number = observer_.method(service, name, true);
  method->calls = &calls_;
  post_.push_back([method = method.get()] { BidiStream<Request, Response>::wait(*method); });
  methods_.push_back(std::move(method));
}

}  // namespace stock::rpc
