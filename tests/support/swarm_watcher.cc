#include "support/swarm_watcher.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <utility>

#include "support/history_record.h"
#include "support/stock_stream.h"

namespace stock::support {
namespace {

using domain::DatabaseTime;
using domain::Key;
using std::chrono::milliseconds;

constexpr int kInvalidArgument = 3;
// Between two calls, when the first one told nothing.
constexpr milliseconds kPause(20);
// Messages of a call, at most.
constexpr std::uint64_t kLongest = 300;

Key key_of(const v1::Key& key) { return {key.sku(), key.location()}; }

std::vector<Change> items_of(const v1::WatchStockLevelsResponse& response) {
  std::vector<Change> items;
  for (const auto& change : response.changes()) {
    items.push_back({statement_of(change.level()), change.versions_left_out()});
  }
  return items;
}

std::vector<ToldMovement> items_of(const v1::StreamStockMovementsResponse& response) {
  std::vector<ToldMovement> items;
  for (const v1::Movement& movement : response.movements()) {
    items.push_back({.key = key_of(movement.key()),
                     .version = movement.version(),
                     .deleted = movement.deleted(),
                     .counts = counts_of(movement.counts_after()),
                     .on_hand_delta = movement.delta().on_hand(),
                     .committed_at = time_of(movement.committed_at()),
                     .request = movement.request_id()});
  }
  return items;
}

bool is_initial(const v1::WatchStockLevelsResponse& response) { return response.initial(); }
bool is_initial(const v1::StreamStockMovementsResponse&) { return false; }

// Follows one kind of stream into its log.
template <typename Request, typename Response, typename Log>
class Follower : public SwarmWatcher {
 public:
  Follower(const Swarm::Options& options, int number) : SwarmWatcher(options, number) {
    log_.client = number;
  }

 protected:
  // Without a token.
  virtual void ask(Request& request) = 0;

  void follow(const std::string& address) final {
    Request request;
    ask(request);
    if (!token_.empty()) request.set_resume_token(token_);
    auto& call = log_.calls.emplace_back();
    call.from = address;
    call.resumed = !token_.empty();
    call.sent = boot_time();
    StockStream<Request, Response> stream(address, request);
    hold([&stream] { stream.cancel(); });
    Response response;
    const std::uint64_t most = 1 + pick(kLongest);
    bool done = false;
    while (!done && call.messages.size() < most && stream.read(response)) {
      auto& message = call.messages.emplace_back();
      message.received = boot_time();
      message.initial = is_initial(response);
      message.reset = response.reset();
      message.resumable = !response.resume_token().empty();
      message.items = items_of(response);
      if (message.resumable) token_ = response.resume_token();
      if (!response.has_watermark()) continue;
      message.watermark = time_of(response.watermark());
      done = came_through(*message.watermark);
    }
    hold({});
    const bool left_it = done || call.messages.size() == most;
    if (left_it) stream.cancel();
    const Ended ended = stream.end();
    EXPECT_NE(ended.code, kInvalidArgument) << ended.message;
    if (!left_it && call.messages.empty()) std::this_thread::sleep_for(kPause);
  }

  Log log_;

 private:
  std::string token_;
};

class WatchFollower final
    : public Follower<v1::WatchStockLevelsRequest, v1::WatchStockLevelsResponse, WatchLog> {
 public:
  WatchFollower(const Swarm::Options& options, int number, std::string location)
      : Follower(options, number) {
    log_.location = std::move(location);
    if (!log_.location.empty()) return;
    for (const auto* keys : {&options.keys, &options.intruders_keys}) {
      for (const Key& key : *keys) {
        if (pick(3) != 0) log_.keys.push_back(key);
      }
    }
    if (log_.keys.empty()) log_.keys = options.keys;
  }

  void ask(v1::WatchStockLevelsRequest& request) override {
    request.set_location(log_.location);
    for (const Key& key : log_.keys) {
      v1::Key& added = *request.add_keys();
      added.set_sku(key.sku);
      added.set_location(key.location);
    }
  }
  void add_to(History& history) override { history.watches.push_back(std::move(log_)); }
};

class MovementFollower final : public Follower<v1::StreamStockMovementsRequest,
                                               v1::StreamStockMovementsResponse, MovementLog> {
 public:
  MovementFollower(const Swarm::Options& options, int number, bool from_beginning,
                   std::string location)
      : Follower(options, number) {
    log_.from_beginning = from_beginning;
    log_.location = std::move(location);
  }

  void ask(v1::StreamStockMovementsRequest& request) override {
    request.set_location(log_.location);
    if (log_.from_beginning) request.set_from_beginning(true);
  }
  void add_to(History& history) override { history.movement_streams.push_back(std::move(log_)); }
};

}  // namespace

std::unique_ptr<SwarmWatcher> SwarmWatcher::make(const Swarm::Options& options, int number) {
  const std::string location = options.locations.back();
  switch (number % 5) {
    case 0:
      return std::make_unique<WatchFollower>(options, number, "");
    case 1:
      return std::make_unique<MovementFollower>(options, number, true, "");
    case 2:
      return std::make_unique<WatchFollower>(options, number, location);
    case 3:
      return std::make_unique<MovementFollower>(options, number, false, "");
    default:
      return std::make_unique<MovementFollower>(options, number, false, location);
  }
}

SwarmWatcher::SwarmWatcher(const Swarm::Options& options, int number)
    : options_(options), chance_(options.seed * 3001 + static_cast<std::uint64_t>(number)) {}

void SwarmWatcher::run() {
  while (!finished_ && !cancelled_) {
    follow(options_.stream_addresses[pick(options_.stream_addresses.size())]);
  }
}

bool SwarmWatcher::came_through(DatabaseTime watermark) {
  if (watermark.time_since_epoch().count() < until_) return false;
  return finished_ = true;
}

void SwarmWatcher::hold(std::function<void()> cancel_call) {
  const std::lock_guard lock(mutex_);
  cancel_call_ = std::move(cancel_call);
  if (cancelled_ && cancel_call_) cancel_call_();
}

void SwarmWatcher::cancel() {
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
  if (cancel_call_) cancel_call_();
}

}  // namespace stock::support
