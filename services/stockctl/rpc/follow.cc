#include "stockctl/rpc/follow.h"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "stock/v1/drift_service.grpc.pb.h"
#include "stock/v1/stock_service.grpc.pb.h"
#include "stockctl/rpc/channel.h"
#include "stockctl/rpc/retry.h"

namespace stockctl {
namespace {

using stock::v1::DriftService;
using stock::v1::StockService;

constexpr std::chrono::milliseconds kAskEvery(100);

// Cancels a call when it is time to stop: reading a stream waits for as long as nothing comes.
class Canceller {
 public:
  Canceller(grpc::ClientContext& context, const std::function<bool()>& stop)
      : thread_([this, &context, &stop] {
          std::unique_lock lock(mutex_);
          while (!changed_.wait_for(lock, kAskEvery, [this] { return over_; })) {
            if (stop()) context.TryCancel();
          }
        }) {}
  ~Canceller() {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }
  Canceller(const Canceller&) = delete;
  Canceller& operator=(const Canceller&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool over_ = false;
  std::thread thread_;
};

// False: it is time to stop.
bool wait(std::chrono::nanoseconds time, const std::function<bool()>& stop) {
  const auto until = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < until) {
    if (stop()) return false;
    std::this_thread::sleep_for(
        std::min<std::chrono::nanoseconds>(kAskEvery, until - std::chrono::steady_clock::now()));
  }
  return !stop();
}

template <typename Service, typename Response, typename Request, typename Open>
absl::Status follow_stream(const FollowOptions& options, Request request, Open open,
                           const std::function<bool(const Response&)>& take) {
  const auto stub = Service::NewStub(open_channel(options.address, options.user_agent));
  std::optional<Backoff> backoff;  // none until it has worked once
  while (true) {
    grpc::ClientContext context;
    const Canceller canceller(context, options.stop);
    const auto reader = open(*stub, context, request);
    Response response;
    bool enough = false;
    while (!enough && reader->Read(&response)) {
      backoff.emplace(options.patience);
      if constexpr (requires { request.set_resume_token(response.resume_token()); }) {
        if (!response.resume_token().empty()) request.set_resume_token(response.resume_token());
      }
      enough = !take(response);
    }
    if (enough) context.TryCancel();
    const absl::Status status = status_of(reader->Finish(), context);
    if (enough || options.stop()) return absl::OkStatus();
    // Streams have no end of their own: one that ends well has been cut off by something between.
    // A server that is just going cancels what reaches it last.
    const bool cut_off = status.ok() || absl::IsCancelled(status);
    absl::Status why = cut_off ? absl::UnavailableError("the stream was cut off") : status;
    if (!worth_retrying(why)) return why;
    if (!backoff) return why;
    const auto pause = backoff->after(why, Backoff::Clock::now(), 0.5);
    if (!pause) return why;
    options.lost(why);
    if (!wait(*pause, options.stop)) return absl::OkStatus();
  }
}

}  // namespace

absl::Status follow(const FollowOptions& options, stock::v1::WatchStockLevelsRequest request,
                    const std::function<bool(const stock::v1::WatchStockLevelsResponse&)>& take) {
  return follow_stream<StockService>(
      options, std::move(request),
      [](StockService::Stub& stub, grpc::ClientContext& context,
         const stock::v1::WatchStockLevelsRequest& from) {
        return stub.WatchStockLevels(&context, from);
      },
      take);
}

absl::Status follow(
    const FollowOptions& options, stock::v1::StreamStockMovementsRequest request,
    const std::function<bool(const stock::v1::StreamStockMovementsResponse&)>& take) {
  return follow_stream<StockService>(
      options, std::move(request),
      [](StockService::Stub& stub, grpc::ClientContext& context,
         const stock::v1::StreamStockMovementsRequest& from) {
        return stub.StreamStockMovements(&context, from);
      },
      take);
}

absl::Status follow(const FollowOptions& options, const stock::v1::WatchIncidentsRequest& request,
                    const std::function<bool(const stock::v1::WatchIncidentsResponse&)>& take) {
  return follow_stream<DriftService>(
      options, request,
      [](DriftService::Stub& stub, grpc::ClientContext& context,
         const stock::v1::WatchIncidentsRequest& from) {
        return stub.WatchIncidents(&context, from);
      },
      take);
}

}  // namespace stockctl
