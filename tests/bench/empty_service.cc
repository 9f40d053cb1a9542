// What stockd is compared with: a service that does nothing, in the cheapest style that gRPC has.
// One completion queue, one thread, one call waited for, requests in an arena of their call; no
// metrics, no deadlines, no cancellation. GetStockLevel answers the same response to every request,
// and WatchStockLevels sends the same one again and again, each when the one before has been
// written, until the client has had enough.
//
// The responses come from files, so that they are some that stockd gave: as long, and that of a
// stream as costly to serialise. On SIGTERM or SIGINT it prints how many calls it answered, since
// not every load generator can tell an answer from an error.
#include <fmt/core.h>
#include <google/protobuf/arena.h>
#include <grpcpp/grpcpp.h>
#include <pthread.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "stock/v1/stock_service.grpc.pb.h"

namespace {

using stock::v1::GetStockLevelRequest;
using stock::v1::GetStockLevelResponse;
using stock::v1::StockService;
using stock::v1::WatchStockLevelsRequest;
using stock::v1::WatchStockLevelsResponse;

struct Service final : StockService::WithAsyncMethod_WatchStockLevels<
                           StockService::WithAsyncMethod_GetStockLevel<StockService::Service>> {
  // As in stockd, of which the answer is bytes already.
  template <typename... Arguments>
  void request(int method, Arguments... arguments) {
    RequestAsyncUnary(method, arguments...);
  }
};

struct Empty {
  Service service;
  int method = 0;  // of the service: GetStockLevel
  std::unique_ptr<grpc::ServerCompletionQueue> queue;
  grpc::ByteBuffer answer;
  WatchStockLevelsResponse message;
  std::int64_t answered = 0;  // of the serving thread
};

// What waits for an event of the queue, as its tag.
class Waiting {
 public:
  virtual ~Waiting() = default;
  virtual void happened(bool ok) = 0;
};

class Call final : public Waiting {
 public:
  static void wait(Empty& empty) { new Call(empty); }

  void happened(bool ok) override {
    if (answering_) {
      if (ok) ++empty_.answered;
      delete this;
    } else if (!ok) {  // the server shuts down
      delete this;
    } else {
      wait(empty_);
      answering_ = true;
      writer_.Finish(empty_.answer, grpc::Status::OK, tag());
    }
  }

 private:
  // As in stockd, with room for the request alone: the answer is there already.
  static constexpr std::size_t kBlockBytes = 512;
  static google::protobuf::ArenaOptions arena_options(std::array<char, kBlockBytes>& block) {
    google::protobuf::ArenaOptions options;
    options.initial_block = block.data();
    options.initial_block_size = block.size();
    return options;
  }

  explicit Call(Empty& empty)
      : empty_(empty),
        arena_(arena_options(block_)),
        request_(*google::protobuf::Arena::CreateMessage<GetStockLevelRequest>(&arena_)),
        writer_(&context_) {
    empty_.service.request(empty_.method, &context_, &request_, &writer_, empty_.queue.get(),
                           empty_.queue.get(), tag());
  }
  Waiting* tag() { return this; }

  Empty& empty_;
  grpc::ServerContext context_;
  alignas(std::max_align_t) std::array<char, kBlockBytes> block_;
  google::protobuf::Arena arena_;
  GetStockLevelRequest& request_;
  grpc::ServerAsyncResponseWriter<grpc::ByteBuffer> writer_;
  bool answering_ = false;
};

class Stream final : public Waiting {
 public:
  static void wait(Empty& empty) { new Stream(empty); }

  void happened(bool ok) override {
    if (!ok) {  // the client has gone, or the server shuts down
      delete this;
      return;
    }
    if (!std::exchange(writing_, true)) wait(empty_);
    writer_.Write(empty_.message, static_cast<Waiting*>(this));
  }

 private:
  explicit Stream(Empty& empty) : empty_(empty), writer_(&context_) {
    empty_.service.RequestWatchStockLevels(&context_, &request_, &writer_, empty_.queue.get(),
                                           empty_.queue.get(), static_cast<Waiting*>(this));
  }

  Empty& empty_;
  grpc::ServerContext context_;
  WatchStockLevelsRequest request_;
  grpc::ServerAsyncWriter<WatchStockLevelsResponse> writer_;
  bool writing_ = false;
};

void serve(grpc::ServerCompletionQueue& queue) {
  void* tag = nullptr;
  bool ok = false;
  while (queue.Next(&tag, &ok)) static_cast<Waiting*>(tag)->happened(ok);
}

// Blocks the signals for every thread to come; the main thread waits for them.
sigset_t block_end_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

}  // namespace

int main(int argc, char** argv) {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);  // as in stockd
  int port = 0;
  std::string response_file;
  std::string message_file;
  bool share_port = false;
  CLI::App app("bench_empty: answers the same response to every GetStockLevel");
  app.add_option("--port", port, "On 127.0.0.1")->required()->check(CLI::Range(1, 65535));
  app.add_option("--response", response_file, "A serialised GetStockLevelResponse")
      ->required()
      ->check(CLI::ExistingFile);
  app.add_option("--message", message_file, "A serialised WatchStockLevelsResponse")
      ->check(CLI::ExistingFile);
  app.add_flag("--share-port", share_port, "With other processes");
  CLI11_PARSE(app, argc, argv);

  Empty empty;
  std::ifstream file(response_file, std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  if (!GetStockLevelResponse().ParseFromString(bytes) || bytes.empty()) {
    fmt::print(stderr, "bench_empty: {} holds no GetStockLevelResponse\n", response_file);
    return 2;
  }
  const grpc::Slice slice(bytes);
  empty.answer = grpc::ByteBuffer(&slice, 1);
  empty.method = GetStockLevelRequest::descriptor()
                     ->file()
                     ->pool()
                     ->FindServiceByName(StockService::service_full_name())
                     ->FindMethodByName("GetStockLevel")
                     ->index();
  std::ifstream message(message_file, std::ios::binary);
  if (!message_file.empty() && !empty.message.ParseFromIstream(&message)) {
    fmt::print(stderr, "bench_empty: {} holds no WatchStockLevelsResponse\n", message_file);
    return 2;
  }

  const sigset_t signals = block_end_signals();
  grpc::ServerBuilder builder;
  int bound_port = 0;
  builder.AddListeningPort(fmt::format("127.0.0.1:{}", port), grpc::InsecureServerCredentials(),
                           &bound_port);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, share_port ? 1 : 0);
  builder.RegisterService(&empty.service);
  empty.queue = builder.AddCompletionQueue();
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (!server || bound_port == 0) {
    fmt::print(stderr, "bench_empty: cannot listen on 127.0.0.1:{}\n", port);
    if (server) server->Shutdown();
    empty.queue->Shutdown();
    serve(*empty.queue);
    return 1;
  }
  Call::wait(empty);
  Stream::wait(empty);
  std::thread serving([&empty] { serve(*empty.queue); });

  int signal = 0;
  sigwait(&signals, &signal);
  server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
  empty.queue->Shutdown();
  serving.join();
  fmt::print("{{\"answered\": {}}}\n", empty.answered);
  return 0;
}
