#include "stock/redis/connection.h"

#include <fmt/format.h>
#include <hiredis/async.h>
#include <hiredis/hiredis.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_replace.h"
#include "stock/redis/command.h"
#include "stock/redis/socket_watch.h"

namespace stock::redis {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstBackoff(50);
constexpr milliseconds kLastBackoff(2000);

std::string error_text(const redisAsyncContext& context) {
  std::string text = context.c.errstr;
  if (text.empty()) text = "the connection ended";
  text[0] = absl::ascii_tolower(static_cast<unsigned char>(text[0]));
  return text;
}

void start_timer(uv_timer_t& timer, milliseconds delay, uv_timer_cb callback) {
  uv_timer_start(&timer, callback, static_cast<std::uint64_t>(delay.count()), 0);
}

}  // namespace

Connection::Connection(uv_loop_t& loop, Options options, OnChange on_change)
    : loop_(loop),
      options_(std::move(options)),
      on_change_(std::move(on_change)),
      backoff_(kFirstBackoff) {
  uv_timer_init(&loop_, &watchdog_);
  uv_timer_init(&loop_, &retry_);
  watchdog_.data = this;
  retry_.data = this;
}

void Connection::open() { connect(); }

void Connection::close(const std::string& why) {
  if (context_ != nullptr) drop(Failure::kBroken, why);
  state_ = State::kClosed;
  uv_close(reinterpret_cast<uv_handle_t*>(&watchdog_), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&retry_), nullptr);
}

void Connection::send(std::string_view command, OnResult on_result) {
  enqueue(command, options_.timeout, std::move(on_result));
}

void Connection::connect() {
  state_ = State::kConnecting;
  // Host names are looked up right here; nothing is under way that could be kept waiting.
  context_ = redisAsyncConnect(options_.endpoint.host.c_str(), options_.endpoint.port);
  uv_update_time(&loop_);
  if (context_ == nullptr) return lost(Failure::kBroken, "out of memory");
  if (context_->err != 0) return drop(Failure::kBroken, error_text(*context_));
  if (!watch_socket(loop_, *context_)) return drop(Failure::kBroken, "its socket is unusable");

  context_->data = this;
  replies_.make_those_of(*context_->c.reader);
  // Whichever of these and the commands' callbacks comes first reports the loss; the others find
  // that the context is not the connection's any more.
  const auto on_end = [](const redisAsyncContext* context, int status) {
    auto& self = *static_cast<Connection*>(context->data);
    if (self.context_ == context && (status != REDIS_OK || context->err != 0)) {
      self.lost(Failure::kBroken, error_text(*context));
    }
  };
  redisAsyncSetConnectCallback(context_, on_end);
  redisAsyncSetDisconnectCallback(context_, on_end);
  shake_hands();
}

// Each connection anew: hiredis forgets all this when it reconnects.
void Connection::shake_hands() {
  const Endpoint& endpoint = options_.endpoint;
  if (!endpoint.password.empty()) {
    Command auth(endpoint.user.empty() ? 2 : 3);
    auth.add("AUTH");
    if (!endpoint.user.empty()) auth.add(endpoint.user);
    greet(auth.add(endpoint.password).take(), "AUTH", false);
  }
  if (endpoint.db != 0) {
    greet(Command(2).add("SELECT").add(std::to_string(endpoint.db)).take(), "SELECT", false);
  }
  // Refused while Redis is loading its data, or wants a password that we do not have.
  greet(Command(1).add("PING").take(), "PING", true);
}

void Connection::greet(const std::string& command, std::string_view what, bool last) {
  enqueue(command, options_.connect_timeout, [this, what, last](const Result& result) {
    if (result.reply == nullptr) return;
    if (result.reply->type == REDIS_REPLY_ERROR) {
      std::string text(result.reply->str, result.reply->len);
      // Some servers repeat what they do not understand.
      const std::string& password = options_.endpoint.password;
      if (!password.empty()) text = absl::StrReplaceAll(text, {{password, "***"}});
      return drop(Failure::kBroken, fmt::format("{} refused: {}", what, text));
    }
    if (!last) return;
    state_ = State::kReady;
    backoff_ = kFirstBackoff;
    on_change_(true, {});
  });
}

void Connection::enqueue(std::string_view command, milliseconds timeout, OnResult on_result) {
  pending_.push_back({.deadline_ms = uv_now(&loop_) + static_cast<std::uint64_t>(timeout.count()),
                      .on_result = std::move(on_result)});
  if (uv_is_active(reinterpret_cast<uv_handle_t*>(&watchdog_)) == 0) watch_oldest();
  const auto on_reply = [](redisAsyncContext* context, void* reply, void*) {
    auto& self = *static_cast<Connection*>(context->data);
    if (self.context_ != context) return;  // given up, and its commands with it
    if (reply == nullptr) return self.lost(Failure::kBroken, error_text(*context));
    self.answered(*static_cast<redisReply*>(reply));
  };
  redisAsyncFormattedCommand(context_, on_reply, nullptr, command.data(), command.size());
}

void Connection::answered(const redisReply& reply) {
  Pending oldest = std::move(pending_.front());
  pending_.pop_front();
  if (pending_.empty()) uv_timer_stop(&watchdog_);
  oldest.on_result({.reply = &reply});
}

void Connection::lost(Failure failure, const std::string& why) {
  context_ = nullptr;
  uv_timer_stop(&watchdog_);
  retry_later();
  on_change_(false, why);
  for (auto pending = std::exchange(pending_, {}); Pending & command : pending) {
    command.on_result({.failure = failure, .why = why});
  }
}

void Connection::drop(Failure failure, const std::string& why) {
  redisAsyncContext* const context = context_;
  lost(failure, why);
  redisAsyncFree(context);
}

void Connection::retry_later() {
  state_ = State::kWaiting;
  start_timer(retry_, std::exchange(backoff_, std::min(2 * backoff_, kLastBackoff)),
              [](uv_timer_t* timer) { static_cast<Connection*>(timer->data)->connect(); });
}

void Connection::watch_oldest() {
  const std::uint64_t now = uv_now(&loop_);
  const std::uint64_t deadline = pending_.front().deadline_ms;
  start_timer(watchdog_, milliseconds(deadline > now ? deadline - now : 1),
              [](uv_timer_t* timer) { static_cast<Connection*>(timer->data)->check_oldest(); });
}

void Connection::check_oldest() {
  Pending& oldest = pending_.front();
  // Timers run before sockets are read. When it was this thread that was late, the answer is there
  // already: one turn of the loop to find it.
  if (oldest.overdue) {
    const milliseconds limit = ready() ? options_.timeout : options_.connect_timeout;
    return drop(Failure::kTimeout, fmt::format("no answer within {} ms", limit.count()));
  }
  oldest.overdue = oldest.deadline_ms <= uv_now(&loop_);
  watch_oldest();
}

}  // namespace stock::redis
