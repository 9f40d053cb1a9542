// Watchers that count what they are told: as many WatchStockLevels streams as asked for, of the
// keys PREFIX0 ... PREFIX<key-count - 1>, spread over some connections. Counting begins when every
// stream has been told its first levels, and lasts for a given time; stderr says "counting" when it
// begins, and "counted" when it is over. One completion queue and one thread.
//
// Prints one JSON document. Exit code 1 when a stream ended before its time.
#include <fmt/core.h>
#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstddef>
#include <deque>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "stock/v1/stock_service.grpc.pb.h"

namespace {

using stock::v1::StockService;
using stock::v1::WatchStockLevelsRequest;
using stock::v1::WatchStockLevelsResponse;
using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{20};

struct Options {
  std::string address;
  std::size_t watchers = 100;
  std::size_t connections = 4;
  double seconds = 1;
  std::string key_prefix;
  std::size_t key_count = 1;
  std::string location = "main";
  std::string save_message;
};

struct Watcher {
  grpc::ClientContext context;
  WatchStockLevelsResponse message;
  std::unique_ptr<grpc::ClientAsyncReader<WatchStockLevelsResponse>> reader;
  bool begun = false;    // the call has started: what comes next are messages
  bool current = false;  // its first levels have been sent
};

class Load {
 public:
  explicit Load(const Options& options) : options_(options), watchers_(options.watchers) {}

  void start() {
    WatchStockLevelsRequest request;
    for (std::size_t i = 0; i < options_.key_count; ++i) {
      stock::v1::Key& key = *request.add_keys();
      key.set_sku(fmt::format("{}{}", options_.key_prefix, i));
      key.set_location(options_.location);
    }
    for (std::size_t i = 0; i < options_.connections; ++i) {
      grpc::ChannelArguments arguments;
      // Channels with equal arguments would share one connection.
      arguments.SetInt("bench.connection", static_cast<int>(i));
      stubs_.push_back(StockService::NewStub(grpc::CreateCustomChannel(
          options_.address, grpc::InsecureChannelCredentials(), arguments)));
    }
    for (std::size_t i = 0; i < watchers_.size(); ++i) {
      watchers_[i].reader = stubs_[i % stubs_.size()]->AsyncWatchStockLevels(
          &watchers_[i].context, request, &queue_, &watchers_[i]);
    }
  }

  // False: a stream has ended, or was not told anything in time.
  bool run() {
    SteadyClock::time_point until = SteadyClock::now() + kPatience;
    SteadyClock::time_point began;
    while (true) {
      const SteadyClock::time_point now = SteadyClock::now();
      if (now >= until) break;
      void* tag = nullptr;
      bool ok = false;
      const auto deadline = std::chrono::system_clock::now() + (until - now);
      if (queue_.AsyncNext(&tag, &ok, deadline) != grpc::CompletionQueue::GOT_EVENT) break;
      if (!ok) return false;
      Watcher& watcher = *static_cast<Watcher*>(tag);
      if (std::exchange(watcher.begun, true)) told(watcher);
      watcher.reader->Read(&watcher.message, &watcher);
      if (current_ < watchers_.size() || counting_) continue;
      counting_ = true;
      began = SteadyClock::now();
      until = began + std::chrono::duration_cast<SteadyClock::duration>(
                          std::chrono::duration<double>(options_.seconds));
      fmt::print(stderr, "counting\n");
    }
    seconds_ = std::chrono::duration<double>(SteadyClock::now() - began).count();
    if (counting_) fmt::print(stderr, "counted\n");
    return counting_;
  }

  void report() const {
    fmt::print(R"({{"changes": {}, "messages": {}, "seconds": {:.6f}}})", changes_, messages_,
               seconds_);
    fmt::print("\n");
  }

  void stop() {
    for (Watcher& watcher : watchers_) watcher.context.TryCancel();
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
  }

 private:
  void told(Watcher& watcher) {
    const WatchStockLevelsResponse& message = watcher.message;
    if (!watcher.current && !message.initial()) {
      watcher.current = true;
      ++current_;
    }
    if (!counting_) return;
    ++messages_;
    changes_ += static_cast<std::size_t>(message.changes_size());
    if (options_.save_message.empty() || saved_ || message.changes_size() != 1) return;
    std::ofstream file(options_.save_message, std::ios::binary);
    saved_ = message.SerializeToOstream(&file);
  }

  const Options& options_;
  grpc::CompletionQueue queue_;
  std::vector<std::unique_ptr<StockService::Stub>> stubs_;
  std::deque<Watcher> watchers_;
  std::size_t current_ = 0;
  bool counting_ = false;
  bool saved_ = false;
  std::size_t changes_ = 0;
  std::size_t messages_ = 0;
  double seconds_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);  // as in stockd
  Options options;
  CLI::App app("bench_watch: streams of changes, counted");
  app.option_defaults()->always_capture_default();
  app.add_option("--address", options.address, "HOST:PORT")->required();
  app.add_option("--watchers", options.watchers, "Streams")->check(CLI::Range(1, 10'000));
  app.add_option("--connections", options.connections, "They share the streams")
      ->check(CLI::Range(1, 1000));
  app.add_option("--seconds", options.seconds, "How long")->check(CLI::Range(0.1, 600.0));
  app.add_option("--key-prefix", options.key_prefix, "SKUs are this and a number")->required();
  app.add_option("--key-count", options.key_count, "Numbers from 0 up")->check(CLI::Range(1, 1000));
  app.add_option("--location", options.location, "Of the keys");
  app.add_option("--save-message", options.save_message,
                 "Write one of the messages with one change to this file, serialised");
  CLI11_PARSE(app, argc, argv);

  Load load(options);
  load.start();
  const bool worked = load.run();
  load.stop();
  if (!worked) {
    fmt::print(stderr, "bench_watch: a stream of {} ended, or told nothing\n", options.address);
    return 1;
  }
  load.report();
  return 0;
}
