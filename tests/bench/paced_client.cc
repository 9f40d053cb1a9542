// Reads and writes at given rates for a given time, and how old the answers say that they are.
//
// GetStockLevel goes to each of some addresses, writes (AdjustStock of one line, +1, or a
// reservation of one unit for an hour) to another, with the keys PREFIX0 ... PREFIX<key-count - 1>,
// of which the lower ones are wanted more: key n by 1 / (n + 1)^exponent, for reads and writes
// alike. Each call has its instant, whatever became of the one before (an open loop, so that a slow
// answer is not a rest for the server); calls that would be too many at a time are left out, and
// counted. A call's time is from its instant on, of those that succeeded; how late it was sent
// is said too, which is this client's share of that. One completion queue and one thread.
//
// Prints one JSON document. Exit code 1 when a call failed; one that the server refused because it
// had too much to do (RESOURCE_EXHAUSTED) did not, where that is said to be expected.
#include <fmt/core.h>
#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "stock/v1/stock_service.grpc.pb.h"

namespace {

using google::protobuf::Duration;
using stock::v1::StockService;
using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::seconds kConnectTimeout{10};
constexpr std::chrono::seconds kCallTimeout{5};

struct Options {
  std::vector<std::string> read_addresses;
  std::string write_address;
  double reads_per_second = 0;  // at each address
  double writes_per_second = 0;
  double seconds = 1;
  std::size_t most_in_flight = 256;
  std::string key_prefix;
  std::size_t key_count = 1;
  double exponent = 1;
  std::string location = "main";
  bool reserve = false;
  bool may_refuse = false;
  std::size_t connections = 1;
};

std::int64_t microseconds(const Duration& duration) {
  return duration.seconds() * 1'000'000 + duration.nanos() / 1000;
}

std::int64_t microseconds_since(SteadyClock::time_point instant) {
  return std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - instant)
      .count();
}

// {p50, p99, largest}, as JSON.
std::string quantiles(std::vector<std::int64_t> values) {
  std::sort(values.begin(), values.end());
  const auto at = [&](double part) {
    return values[static_cast<std::size_t>(std::ceil(part * static_cast<double>(values.size()))) -
                  1];
  };
  return fmt::format(R"({{"p50": {}, "p99": {}, "max": {}}})", at(0.5), at(0.99), values.back());
}

// What became of the calls of one kind to one address.
struct Tally {
  std::string address;
  std::size_t calls = 0;
  std::size_t errors = 0;
  std::size_t left_out = 0;
  std::size_t refused = 0;
  std::size_t in_time = 0;        // succeeded while calls were being made
  SteadyClock::time_point until;  // they are
  bool may_refuse = false;
  SteadyClock::time_point last_refused;  // the instant of a call
  std::string first_error;

  struct Layer {
    std::vector<std::int64_t> ages_us;
    std::vector<std::int64_t> uncertainties_us;
  };
  std::map<stock::v1::Layer, Layer> layers;
  std::vector<std::int64_t> times_us;
  std::vector<std::int64_t> late_us;  // sent, of all calls

  void end(const grpc::Status& status, SteadyClock::time_point instant) {
    ++calls;
    if (status.ok()) {
      in_time += SteadyClock::now() < until ? 1 : 0;
      times_us.push_back(microseconds_since(instant));
    } else if (may_refuse && status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED) {
      ++refused;
      last_refused = std::max(last_refused, instant);
    } else if (errors++ == 0) {
      first_error =
          fmt::format("{}: {}", static_cast<int>(status.error_code()), status.error_message());
    }
  }
  void answered(const stock::v1::GetStockLevelResponse& response) {
    Layer& layer = layers[response.level().provenance().layer()];
    layer.ages_us.push_back(microseconds(response.provenance().age()));
    layer.uncertainties_us.push_back(microseconds(response.provenance().uncertainty()));
  }

  [[nodiscard]] std::string json(SteadyClock::time_point began) const {
    std::string by_layer;
    for (const auto& [layer, ages] : layers) {
      fmt::format_to(std::back_inserter(by_layer),
                     R"({}"{}": {{"answers": {}, "age_us": {}, "uncertainty_us": {}}})",
                     by_layer.empty() ? "" : ", ", stock::v1::Layer_Name(layer),
                     ages.ages_us.size(), quantiles(ages.ages_us),
                     quantiles(ages.uncertainties_us));
    }
    return fmt::format(
        R"({{"address": "{}", "calls": {}, "succeeded": {}, "in_time": {}, "errors": {}, "left_out": {}, "refused": {}, )"
        R"("last_refused_s": {:.6f}, "layers": {{{}}}, "time_us": {}, "late_us": {}}})",
        address, calls, times_us.size(), in_time, errors, left_out, refused,
        refused == 0 ? 0 : std::chrono::duration<double>(last_refused - began).count(), by_layer,
        times_us.empty() ? "null" : quantiles(times_us),
        late_us.empty() ? "null" : quantiles(late_us));
  }
};

// Where a call in flight is; the tag of its end.
class Call {
 public:
  Call(Tally& tally, SteadyClock::time_point instant) : tally_(tally), instant_(instant) {
    context_.set_deadline(std::chrono::system_clock::now() + kCallTimeout);
  }
  virtual ~Call() = default;
  virtual void ended() = 0;

 protected:
  Tally& tally_;
  const SteadyClock::time_point instant_;
  grpc::ClientContext context_;
  grpc::Status status_;
};

class Read final : public Call {
 public:
  Read(Tally& tally, StockService::Stub& stub, const stock::v1::Key& key,
       SteadyClock::time_point instant, grpc::CompletionQueue& queue)
      : Call(tally, instant) {
    stock::v1::GetStockLevelRequest request;
    *request.mutable_key() = key;
    reader_ = stub.AsyncGetStockLevel(&context_, request, &queue);
    reader_->Finish(&response_, &status_, static_cast<Call*>(this));
  }
  void ended() override {
    tally_.end(status_, instant_);
    if (status_.ok()) tally_.answered(response_);
  }

 private:
  stock::v1::GetStockLevelResponse response_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<stock::v1::GetStockLevelResponse>> reader_;
};

template <typename Response>
class Write final : public Call {
 public:
  using Reader = std::unique_ptr<grpc::ClientAsyncResponseReader<Response>>;

  // `begin` makes the reader of a call with this context.
  template <typename Begin>
  Write(Tally& tally, SteadyClock::time_point instant, Begin begin)
      : Call(tally, instant), reader_(begin(context_)) {
    reader_->Finish(&response_, &status_, static_cast<Call*>(this));
  }
  void ended() override { tally_.end(status_, instant_); }

 private:
  Response response_;
  Reader reader_;
};

void adjust(Tally& tally, StockService::Stub& stub, const stock::v1::Key& key,
            SteadyClock::time_point instant, grpc::CompletionQueue& queue) {
  stock::v1::AdjustStockRequest request;
  stock::v1::Adjustment& line = *request.add_lines();
  *line.mutable_key() = key;
  line.set_on_hand_delta(1);
  new Write<stock::v1::AdjustStockResponse>(tally, instant, [&](grpc::ClientContext& context) {
    return stub.AsyncAdjustStock(&context, request, &queue);
  });
}

void reserve(Tally& tally, StockService::Stub& stub, const stock::v1::Key& key,
             SteadyClock::time_point instant, grpc::CompletionQueue& queue) {
  stock::v1::CreateReservationRequest request;
  stock::v1::ReservedUnits& line = *request.add_lines();
  *line.mutable_key() = key;
  line.set_quantity(1);
  request.mutable_ttl()->set_seconds(3600);
  new Write<stock::v1::CreateReservationResponse>(
      tally, instant, [&](grpc::ClientContext& context) {
        return stub.AsyncCreateReservation(&context, request, &queue);
      });
}

std::vector<double> weights(std::size_t count, double exponent) {
  std::vector<double> weights(count);
  for (std::size_t i = 0; i < count; ++i) {
    weights[i] = std::pow(static_cast<double>(i + 1), -exponent);
  }
  return weights;
}

class Load {
 public:
  explicit Load(const Options& options) : options_(options) {
    const std::vector<double> wanted = weights(options.key_count, options.exponent);
    popularity_ = std::discrete_distribution<std::size_t>(wanted.begin(), wanted.end());
  }

  // False: an address could not be connected to in time.
  bool connect() {
    for (const std::string& address : options_.read_addresses) {
      if (!add(address, options_.reads_per_second, false)) return false;
    }
    return options_.writes_per_second <= 0 ||
           add(options_.write_address, options_.writes_per_second, true);
  }

  void run() {
    began_ = SteadyClock::now();
    const SteadyClock::time_point until = began_ + seconds(options_.seconds);
    for (Stream& stream : streams_) {
      stream.next = began_;
      stream.tally->until = until;
    }
    while (true) {
      Stream& first =
          *std::min_element(streams_.begin(), streams_.end(),
                            [](const Stream& a, const Stream& b) { return a.next < b.next; });
      if (first.next >= until) break;
      if (!await(first.next)) start(first);
    }
    while (in_flight_ > 0) await(SteadyClock::now() + kCallTimeout);
    seconds_ = std::chrono::duration<double>(SteadyClock::now() - began_).count();
  }

  int report() {
    std::vector<std::string> reads;
    std::string writes = "null";
    std::size_t errors = 0;
    for (const Stream& stream : streams_) {
      const Tally& tally = *stream.tally;
      if (stream.writes) {
        writes = tally.json(began_);
      } else {
        reads.push_back(tally.json(began_));
      }
      if (tally.errors == 0) continue;
      errors += tally.errors;
      fmt::print(stderr, "bench_paced: {} of {} calls of {} failed, first with {}\n", tally.errors,
                 tally.calls, tally.address, tally.first_error);
    }
    fmt::print(R"({{"seconds": {:.6f}, "reads": [{}], "writes": {}}})", seconds_,
               fmt::join(reads, ", "), writes);
    fmt::print("\n");
    return errors == 0 ? 0 : 1;
  }

 private:
  // The calls of one kind to one address.
  struct Stream {
    std::vector<std::unique_ptr<StockService::Stub>> stubs;  // in turn
    std::size_t turn = 0;
    std::unique_ptr<Tally> tally;
    bool writes = false;
    SteadyClock::duration interval;
    SteadyClock::time_point next;
  };

  static SteadyClock::duration seconds(double number) {
    return std::chrono::duration_cast<SteadyClock::duration>(std::chrono::duration<double>(number));
  }

  bool add(const std::string& address, double rate, bool writes) {
    Stream& stream = streams_.emplace_back();
    for (std::size_t i = 0; i < options_.connections; ++i) {
      grpc::ChannelArguments arguments;
      // Channels with equal arguments would share one connection.
      arguments.SetInt("bench.connection", static_cast<int>(i));
      const auto channel =
          grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
      if (!channel->WaitForConnected(std::chrono::system_clock::now() + kConnectTimeout)) {
        fmt::print(stderr, "bench_paced: cannot connect to {}\n", address);
        return false;
      }
      stream.stubs.push_back(StockService::NewStub(channel));
    }
    stream.tally = std::make_unique<Tally>();
    stream.tally->address = address;
    stream.tally->may_refuse = options_.may_refuse;
    stream.writes = writes;
    stream.interval = seconds(1 / rate);
    return true;
  }

  void start(Stream& stream) {
    const SteadyClock::time_point instant = stream.next;
    stream.next += stream.interval;
    if (in_flight_ >= options_.most_in_flight) {
      ++stream.tally->left_out;
      return;
    }
    stock::v1::Key key;
    key.set_sku(fmt::format("{}{}", options_.key_prefix, popularity_(random_)));
    key.set_location(options_.location);
    stream.tally->late_us.push_back(microseconds_since(instant));
    ++in_flight_;
    StockService::Stub& stub = *stream.stubs[++stream.turn % stream.stubs.size()];
    if (stream.writes) {
      (options_.reserve ? reserve : adjust)(*stream.tally, stub, key, instant, queue_);
    } else {
      new Read(*stream.tally, stub, key, instant, queue_);
    }
  }

  // Takes the end of a call, if one comes by then.
  bool await(SteadyClock::time_point when) {
    void* tag = nullptr;
    bool ok = false;
    const auto deadline = std::chrono::system_clock::now() + (when - SteadyClock::now());
    if (queue_.AsyncNext(&tag, &ok, deadline) != grpc::CompletionQueue::GOT_EVENT) return false;
    const std::unique_ptr<Call> call(static_cast<Call*>(tag));
    call->ended();
    --in_flight_;
    return true;
  }

  const Options& options_;
  grpc::CompletionQueue queue_;
  std::vector<Stream> streams_;
  std::discrete_distribution<std::size_t> popularity_;
  std::mt19937 random_{1};
  std::size_t in_flight_ = 0;
  SteadyClock::time_point began_;
  double seconds_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);  // as in stockd
  Options options;
  CLI::App app("bench_paced: reads and writes at given rates, and the age of the answers");
  app.option_defaults()->always_capture_default();
  app.add_option("--read", options.read_addresses, "HOST:PORT to read from; may be repeated");
  app.add_option("--write", options.write_address, "HOST:PORT to write to");
  app.add_option("--reads-per-second", options.reads_per_second, "At each address")
      ->check(CLI::Range(0.01, 100'000.0));
  app.add_option("--writes-per-second", options.writes_per_second, "0: none")
      ->check(CLI::Range(0.0, 100'000.0));
  app.add_flag("--reserve", options.reserve, "Writes are reservations");
  app.add_flag("--may-refuse", options.may_refuse, "RESOURCE_EXHAUSTED is counted, and no error");
  app.add_option("--connections", options.connections, "To each address; they share the calls")
      ->check(CLI::Range(1, 1000));
  app.add_option("--seconds", options.seconds, "How long")->check(CLI::Range(0.1, 600.0));
  app.add_option("--most-in-flight", options.most_in_flight, "Calls at a time")
      ->check(CLI::Range(1, 100'000));
  app.add_option("--key-prefix", options.key_prefix, "SKUs are this and a number")->required();
  app.add_option("--key-count", options.key_count, "Numbers from 0 up")
      ->check(CLI::Range(1, 10'000'000));
  app.add_option("--exponent", options.exponent, "Of popularity; 0: all alike")
      ->check(CLI::Range(0.0, 5.0));
  app.add_option("--location", options.location, "Of the keys");
  CLI11_PARSE(app, argc, argv);
  if (options.writes_per_second > 0 && options.write_address.empty()) {
    fmt::print(stderr, "bench_paced: where to write is not said\n");
    return 2;
  }

  if (!options.read_addresses.empty() && options.reads_per_second <= 0) {
    fmt::print(stderr, "bench_paced: how often to read is not said\n");
    return 2;
  }

  Load load(options);
  if (!load.connect()) return 1;
  load.run();
  return load.report();
}
