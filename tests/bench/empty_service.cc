// What stockd is compared with: a service that does nothing, in the cheapest style that gRPC has.
// One completion queue, one thread, no metrics, no deadlines, no cancellation; GetStockLevel
// answers the same response to every request.
//
// The response comes from a file, so that it is one that stockd gave: as long, and as costly to
// serialise. On SIGTERM or SIGINT it prints how many calls it answered, since not every load
// generator can tell an answer from an error.
#include <fmt/core.h>
#include <grpcpp/grpcpp.h>
#include <pthread.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "stock/v1/stock_service.grpc.pb.h"

namespace {

using stock::v1::GetStockLevelRequest;
using stock::v1::GetStockLevelResponse;
using stock::v1::StockService;

constexpr int kPostedCalls = 512;

struct Empty {
  StockService::WithAsyncMethod_GetStockLevel<StockService::Service> service;
  std::unique_ptr<grpc::ServerCompletionQueue> queue;
  GetStockLevelResponse answer;
  std::int64_t answered = 0;  // of the serving thread
};

class Call {
 public:
  static void wait(Empty& empty) { new Call(empty); }

  void happened(bool ok) {
    if (answering_) {
      if (ok) ++empty_.answered;
      delete this;
    } else if (!ok) {  // the server shuts down
      delete this;
    } else {
      wait(empty_);
      answering_ = true;
      writer_.Finish(empty_.answer, grpc::Status::OK, this);
    }
  }

 private:
  explicit Call(Empty& empty) : empty_(empty), writer_(&context_) {
    empty_.service.RequestGetStockLevel(&context_, &request_, &writer_, empty_.queue.get(),
                                        empty_.queue.get(), this);
  }

  Empty& empty_;
  grpc::ServerContext context_;
  GetStockLevelRequest request_;
  grpc::ServerAsyncResponseWriter<GetStockLevelResponse> writer_;
  bool answering_ = false;
};

void serve(grpc::ServerCompletionQueue& queue) {
  void* tag = nullptr;
  bool ok = false;
  while (queue.Next(&tag, &ok)) static_cast<Call*>(tag)->happened(ok);
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
  int port = 0;
  std::string response_file;
  CLI::App app("bench_empty: answers the same response to every GetStockLevel");
  app.add_option("--port", port, "On 127.0.0.1")->required()->check(CLI::Range(1, 65535));
  app.add_option("--response", response_file, "A serialised GetStockLevelResponse")
      ->required()
      ->check(CLI::ExistingFile);
  CLI11_PARSE(app, argc, argv);

  Empty empty;
  std::ifstream file(response_file, std::ios::binary);
  if (!empty.answer.ParseFromIstream(&file)) {
    fmt::print(stderr, "bench_empty: {} holds no GetStockLevelResponse\n", response_file);
    return 2;
  }

  const sigset_t signals = block_end_signals();
  grpc::ServerBuilder builder;
  int bound_port = 0;
  builder.AddListeningPort(fmt::format("127.0.0.1:{}", port), grpc::InsecureServerCredentials(),
                           &bound_port);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
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
  for (int i = 0; i < kPostedCalls; ++i) Call::wait(empty);
  std::thread serving([&empty] { serve(*empty.queue); });

  int signal = 0;
  sigwait(&signals, &signal);
  server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
  empty.queue->Shutdown();
  serving.join();
  fmt::print("{{\"answered\": {}}}\n", empty.answered);
  return 0;
}
