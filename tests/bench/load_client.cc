// A closed loop of GetStockLevel calls: as many in flight as asked for, each answer followed by the
// next call, until the count is reached. One completion queue and one thread, so that it measures
// the server and not its own locks.
//
// The keys are PREFIX0 ... PREFIX<key-count - 1>, shuffled (always in the same way) and asked for
// in turn. Prints one JSON document. Exit code 1 when a call failed.
#include <fmt/core.h>
#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <fstream>
#include <memory>
#include <numeric>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "stock/v1/stock_service.grpc.pb.h"

namespace {

using stock::v1::GetStockLevelRequest;
using stock::v1::GetStockLevelResponse;
using stock::v1::StockService;
using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::seconds kConnectTimeout{10};
constexpr std::chrono::seconds kCallTimeout{10};

struct Options {
  std::string address;
  std::size_t in_flight = 256;
  std::size_t connections = 4;
  std::size_t count = 10'000;
  std::string key_prefix;
  std::size_t key_count = 1;
  std::string location = "main";
  int max_staleness_ms = 0;
  std::string save_response;
};

class Load {
 public:
  explicit Load(const Options& options)
      : options_(options), stubs_(options.connections), skus_(options.key_count) {
    std::iota(skus_.begin(), skus_.end(), 0);
    std::shuffle(skus_.begin(), skus_.end(), std::mt19937(1));
    latencies_us_.reserve(options.count);
  }

  // False: a connection was not ready in time.
  bool connect() {
    for (std::size_t i = 0; i < stubs_.size(); ++i) {
      grpc::ChannelArguments arguments;
      // Channels with equal arguments would share one connection.
      arguments.SetInt("bench.connection", static_cast<int>(i));
      const auto channel = grpc::CreateCustomChannel(options_.address,
                                                     grpc::InsecureChannelCredentials(), arguments);
      if (!channel->WaitForConnected(std::chrono::system_clock::now() + kConnectTimeout)) {
        return false;
      }
      stubs_[i] = StockService::NewStub(channel);
    }
    return true;
  }

  void run() {
    const SteadyClock::time_point began = SteadyClock::now();
    const std::size_t at_first = std::min(options_.in_flight, options_.count);
    for (std::size_t i = 0; i < at_first; ++i) {
      Call& call = calls_.emplace_back();
      call.stub = stubs_[i % stubs_.size()].get();
      call.request.mutable_key()->set_location(options_.location);
      if (options_.max_staleness_ms > 0) {
        auto& bound = *call.request.mutable_consistency()->mutable_max_staleness();
        bound.set_seconds(options_.max_staleness_ms / 1000);
        bound.set_nanos(options_.max_staleness_ms % 1000 * 1'000'000);
      }
      start(call);
    }
    void* tag = nullptr;
    bool ok = false;
    while (ended_ < options_.count && queue_.Next(&tag, &ok)) {
      Call& call = *static_cast<Call*>(tag);
      end(call);
      if (started_ < options_.count) start(call);
    }
    seconds_ = std::chrono::duration<double>(SteadyClock::now() - began).count();
  }

  int report() {
    std::sort(latencies_us_.begin(), latencies_us_.end());
    fmt::print(R"({{"calls": {}, "errors": {}, "seconds": {:.6f}, "p50_us": {}, "p99_us": {}}})",
               ended_, errors_, seconds_, quantile(0.50), quantile(0.99));
    fmt::print("\n");
    if (errors_ == 0) return 0;
    fmt::print(stderr, "bench_load: {} of {} calls failed, first with {}: {}\n", errors_, ended_,
               static_cast<int>(first_error_.error_code()), first_error_.error_message());
    return 1;
  }

 private:
  struct Call {
    StockService::Stub* stub = nullptr;
    std::optional<grpc::ClientContext> context;
    GetStockLevelRequest request;
    GetStockLevelResponse response;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<GetStockLevelResponse>> reader;
    SteadyClock::time_point began;
  };

  void start(Call& call) {
    const std::uint32_t number = skus_[started_++ % skus_.size()];
    call.request.mutable_key()->set_sku(fmt::format("{}{}", options_.key_prefix, number));
    call.reader.reset();  // it lives in the arena of the call that the context holds
    call.context.emplace();
    call.context->set_deadline(std::chrono::system_clock::now() + kCallTimeout);
    call.began = SteadyClock::now();
    call.reader = call.stub->AsyncGetStockLevel(&*call.context, call.request, &queue_);
    call.reader->Finish(&call.response, &call.status, &call);
  }

  void end(const Call& call) {
    ++ended_;
    const auto latency = SteadyClock::now() - call.began;
    latencies_us_.push_back(static_cast<std::uint32_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(latency).count()));
    if (!call.status.ok()) {
      if (++errors_ == 1) first_error_ = call.status;
    } else if (!options_.save_response.empty() && !saved_) {
      std::ofstream file(options_.save_response, std::ios::binary);
      saved_ = call.response.SerializeToOstream(&file);
    }
  }

  [[nodiscard]] std::uint32_t quantile(double part) const {
    return latencies_us_[static_cast<std::size_t>(part *
                                                  static_cast<double>(latencies_us_.size() - 1))];
  }

  const Options& options_;
  grpc::CompletionQueue queue_;
  std::vector<std::unique_ptr<StockService::Stub>> stubs_;
  std::deque<Call> calls_;
  std::vector<std::uint32_t> skus_;
  std::vector<std::uint32_t> latencies_us_;
  std::size_t started_ = 0;
  std::size_t ended_ = 0;
  std::size_t errors_ = 0;
  grpc::Status first_error_;
  bool saved_ = false;
  double seconds_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("bench_load: a closed loop of GetStockLevel calls");
  app.option_defaults()->always_capture_default();
  app.add_option("--address", options.address, "HOST:PORT")->required();
  app.add_option("--in-flight", options.in_flight, "Calls at a time")
      ->check(CLI::Range(1, 100'000));
  app.add_option("--connections", options.connections, "They share the calls")
      ->check(CLI::Range(1, 1000));
  app.add_option("--count", options.count, "Calls in all")->check(CLI::Range(1, 100'000'000));
  app.add_option("--key-prefix", options.key_prefix, "SKUs are this and a number")->required();
  app.add_option("--key-count", options.key_count, "Numbers from 0 up")
      ->check(CLI::Range(1, 100'000'000));
  app.add_option("--location", options.location, "Of the keys");
  app.add_option("--max-staleness-ms", options.max_staleness_ms, "0: what the server has set")
      ->check(CLI::Range(0, 3'600'000));
  app.add_option("--save-response", options.save_response,
                 "Write one of the responses to this file, serialised");
  CLI11_PARSE(app, argc, argv);

  Load load(options);
  if (!load.connect()) {
    fmt::print(stderr, "bench_load: cannot connect to {}\n", options.address);
    return 1;
  }
  load.run();
  return load.report();
}
