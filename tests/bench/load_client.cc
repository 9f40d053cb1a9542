// A closed loop of GetStockLevel calls, or of BatchGetStockLevels or CreateReservation: as many in
// flight as asked for, each answer followed by the next call, until the count is reached. One
// completion queue and one thread, so that it measures the server and not its own locks.
//
// The keys are PREFIX0 ... PREFIX<key-count - 1>, shuffled (always in the same way) and asked for
// in turn, from the one behind `--skip` on: so bursts can go on where the last one ended. Prints
// one JSON document. Exit code 1 when a call failed.
#include <fmt/core.h>
#include <grpcpp/generic/generic_stub.h>
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

#include "absl/synchronization/mutex.h"
#include "stock/v1/stock_service.grpc.pb.h"

namespace {

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
  std::size_t skip = 0;
  std::string location = "main";
  int max_staleness_ms = 0;
  std::string save_response;
  bool reserve = false;
  int batch = 0;
};

std::string sku(const Options& options, std::uint32_t number) {
  return fmt::format("{}{}", options.key_prefix, number);
}

template <typename Request>
void bound_staleness(const Options& options, Request& request) {
  if (options.max_staleness_ms == 0) return;
  auto& bound = *request.mutable_consistency()->mutable_max_staleness();
  bound.set_seconds(options.max_staleness_ms / 1000);
  bound.set_nanos(options.max_staleness_ms % 1000 * 1'000'000);
}

// What is called. `next` gives the number of the key to ask for.
class GetLevel {
 public:
  using Request = stock::v1::GetStockLevelRequest;
  using Response = stock::v1::GetStockLevelResponse;
  using Stub = StockService::Stub;

  explicit GetLevel(const Options& options) : options_(options) {
    prepared_.mutable_key()->set_location(options.location);
    bound_staleness(options, prepared_);
  }

  static auto call(Stub& stub, grpc::ClientContext& context, const Request& request,
                   grpc::CompletionQueue& queue) {
    return stub.PrepareAsyncGetStockLevel(&context, request, &queue);
  }

  [[nodiscard]] Request prepared() const { return prepared_; }
  template <typename Next>
  void aim(Next next, Request& request) const {
    request.mutable_key()->set_sku(sku(options_, next()));
  }

 private:
  const Options& options_;
  Request prepared_;
};

// Requests and answers stay bytes: to make them of messages, and messages of them, costs as much as
// the server's part. What a request says of one key is serialised when that is asked for first.
class BatchGetLevels {
 public:
  using Request = grpc::ByteBuffer;
  using Response = grpc::ByteBuffer;
  using Stub = grpc::GenericStub;

  explicit BatchGetLevels(const Options& options) : options_(options), parts_(options.key_count) {
    stock::v1::BatchGetStockLevelsRequest bound;
    bound_staleness(options, bound);
    bound_ = bound.SerializeAsString();
  }

  static auto call(Stub& stub, grpc::ClientContext& context, const Request& request,
                   grpc::CompletionQueue& queue) {
    return stub.PrepareUnaryCall(&context, "/stock.v1.StockService/BatchGetStockLevels", request,
                                 &queue);
  }

  [[nodiscard]] static Request prepared() { return {}; }
  template <typename Next>
  void aim(Next next, Request& request) {
    body_ = bound_;
    for (int i = 0; i < options_.batch; ++i) body_ += part(next());
    const grpc::Slice slice(body_);
    request = grpc::ByteBuffer(&slice, 1);
  }

 private:
  const std::string& part(std::uint32_t number) {
    std::string& part = parts_[number];
    if (part.empty()) {
      stock::v1::BatchGetStockLevelsRequest one;
      auto& key = *one.add_keys();
      key.set_sku(sku(options_, number));
      key.set_location(options_.location);
      part = one.SerializeAsString();
    }
    return part;
  }

  const Options& options_;
  std::string bound_;
  std::vector<std::string> parts_;  // by number
  std::string body_;
};

// One unit of one key each, for an hour, by an id that the server makes up.
class Reserve {
 public:
  using Request = stock::v1::CreateReservationRequest;
  using Response = stock::v1::CreateReservationResponse;
  using Stub = StockService::Stub;

  explicit Reserve(const Options& options) : options_(options) {
    auto& line = *prepared_.add_lines();
    line.mutable_key()->set_location(options.location);
    line.set_quantity(1);
    prepared_.mutable_ttl()->set_seconds(3600);
  }

  static auto call(Stub& stub, grpc::ClientContext& context, const Request& request,
                   grpc::CompletionQueue& queue) {
    return stub.PrepareAsyncCreateReservation(&context, request, &queue);
  }

  [[nodiscard]] Request prepared() const { return prepared_; }
  template <typename Next>
  void aim(Next next, Request& request) const {
    request.mutable_lines(0)->mutable_key()->set_sku(sku(options_, next()));
  }

 private:
  const Options& options_;
  Request prepared_;
};

bool save(const google::protobuf::Message& response, std::ostream& file) {
  return response.SerializeToOstream(&file);
}

bool save(const grpc::ByteBuffer& response, std::ostream& file) {
  grpc::Slice whole;
  if (!response.DumpToSingleSlice(&whole).ok()) return false;
  file.write(reinterpret_cast<const char*>(whole.begin()),
             static_cast<std::streamsize>(whole.size()));
  return file.good();
}

template <typename Rpc>
class Load {
  using Stub = typename Rpc::Stub;

 public:
  explicit Load(const Options& options)
      : options_(options),
        rpc_(options),
        stubs_(options.connections),
        skus_(options.key_count),
        aimed_(options.skip) {
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
      stubs_[i] = std::make_unique<Stub>(channel);
    }
    return true;
  }

  void run() {
    const SteadyClock::time_point began = SteadyClock::now();
    const std::size_t at_first = std::min(options_.in_flight, options_.count);
    for (std::size_t i = 0; i < at_first; ++i) {
      Call& call = calls_.emplace_back();
      call.stub = stubs_[i % stubs_.size()].get();
      call.request = rpc_.prepared();
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
    Stub* stub = nullptr;
    std::optional<grpc::ClientContext> context;
    typename Rpc::Request request;
    typename Rpc::Response response;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<typename Rpc::Response>> reader;
    SteadyClock::time_point began;
  };

  void start(Call& call) {
    ++started_;
    rpc_.aim([this] { return skus_[aimed_++ % skus_.size()]; }, call.request);
    call.reader.reset();  // it lives in the arena of the call that the context holds
    call.context.emplace();
    call.context->set_deadline(std::chrono::system_clock::now() + kCallTimeout);
    call.began = SteadyClock::now();
    call.reader = Rpc::call(*call.stub, *call.context, call.request, queue_);
    call.reader->StartCall();
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
      saved_ = save(call.response, file);
    }
  }

  [[nodiscard]] std::uint32_t quantile(double part) const {
    return latencies_us_[static_cast<std::size_t>(part *
                                                  static_cast<double>(latencies_us_.size() - 1))];
  }

  const Options& options_;
  Rpc rpc_;
  grpc::CompletionQueue queue_;
  std::vector<std::unique_ptr<Stub>> stubs_;
  std::deque<Call> calls_;
  std::vector<std::uint32_t> skus_;
  std::vector<std::uint32_t> latencies_us_;
  std::size_t aimed_;  // keys
  std::size_t started_ = 0;
  std::size_t ended_ = 0;
  std::size_t errors_ = 0;
  grpc::Status first_error_;
  bool saved_ = false;
  double seconds_ = 0;
};

template <typename Rpc>
int run(const Options& options) {
  Load<Rpc> load(options);
  if (!load.connect()) {
    fmt::print(stderr, "bench_load: cannot connect to {}\n", options.address);
    return 1;
  }
  load.run();
  return load.report();
}

}  // namespace

int main(int argc, char** argv) {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);  // as in stockd
  Options options;
  CLI::App app("bench_load: a closed loop of calls");
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
  app.add_option("--skip", options.skip, "Keys of that order that are passed by at first");
  app.add_option("--location", options.location, "Of the keys");
  app.add_option("--max-staleness-ms", options.max_staleness_ms, "0: what the server has set")
      ->check(CLI::Range(0, 3'600'000));
  app.add_option("--save-response", options.save_response,
                 "Write one of the responses to this file, serialised");
  app.add_flag("--reserve", options.reserve,
               "Reserve one unit of a key per call, instead of reading");
  app.add_option("--batch", options.batch, "Read so many keys per call; 0: one, by GetStockLevel")
      ->check(CLI::Range(0, 1000));
  CLI11_PARSE(app, argc, argv);
  if (options.batch > 0) return run<BatchGetLevels>(options);
  return options.reserve ? run<Reserve>(options) : run<GetLevel>(options);
}
