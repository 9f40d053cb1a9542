// One pipelined connection to Redis, kept up: it connects, authenticates, watches that answers come
// in time, and when anything at all goes wrong drops the connection and makes a new one.
//
// Dropping is the only safe reaction to a late answer: Redis answers in order, and what comes late
// would be taken for the answer to the next command.
//
// Belongs to the thread of its loop: only that calls it, and is called back by it. Knows Redis and
// nothing of stock; the layer is the reverse.
#pragma once

#include <uv.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "stock/redis/replies.h"

struct redisAsyncContext;
struct redisReply;

namespace stock::redis {

struct Endpoint {
  std::string host = "127.0.0.1";
  std::uint16_t port = 6379;
  std::string user = {};      // empty: Redis's default user
  std::string password = {};  // empty: no AUTH
  int db = 0;
};

enum class Failure { kBroken, kTimeout };

// What became of a command. Without a reply: it may have had its effect, or not.
struct Result {
  const redisReply* reply = nullptr;   // valid during the call; possibly Redis's error
  Failure failure = Failure::kBroken;  // why there is no reply
  std::string_view why = {};           // the same for people
};

class Connection {
 public:
  struct Options {
    Endpoint endpoint;
    std::chrono::milliseconds timeout;          // for the answer to a command
    std::chrono::milliseconds connect_timeout;  // from connecting to being ready
  };

  using OnResult = absl::AnyInvocable<void(const Result&)>;

  // Commands can be sent from now on, or not, and why not. Called before the commands that were
  // under way get their results; also for each failed attempt to connect.
  using OnChange = std::function<void(bool ready, const std::string& why)>;

  Connection(uv_loop_t& loop, Options options, OnChange on_change);
  // After close(), when the loop has nothing left to do.
  ~Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void open();
  // Ends it for good.
  void close(const std::string& why);

  [[nodiscard]] bool ready() const { return state_ == State::kReady; }
  // Only when ready. `command` is in Redis's protocol; what is sent in one turn of the loop leaves
  // in one write. Each command gets its result exactly once, in order.
  void send(std::string_view command, OnResult on_result);

 private:
  enum class State { kWaiting, kConnecting, kReady, kClosed };
  struct Pending {
    std::uint64_t deadline_ms;  // in the loop's time
    OnResult on_result;
    bool overdue = false;
  };

  void connect();
  void shake_hands();
  void greet(const std::string& command, std::string_view what, bool last);
  void enqueue(std::string_view command, std::chrono::milliseconds timeout, OnResult on_result);
  void answered(const redisReply& reply);
  // The connection is of no use any more. Does not free its context.
  void lost(Failure failure, const std::string& why);
  void drop(Failure failure, const std::string& why);
  void retry_later();
  void watch_oldest();
  void check_oldest();

  uv_loop_t& loop_;
  const Options options_;
  const OnChange on_change_;
  State state_ = State::kWaiting;
  Replies replies_;
  redisAsyncContext* context_ = nullptr;  // owned by hiredis, which frees it when it is lost
  std::deque<Pending> pending_;           // sent and not answered, oldest first
  uv_timer_t watchdog_;                   // runs only while something is pending
  uv_timer_t retry_;
  std::chrono::milliseconds backoff_;
};

}  // namespace stock::redis
