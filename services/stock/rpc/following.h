// What streams that follow the ledger have in common: what they follow it with, their resume
// tokens, and results of reads that arrive on other threads.
#pragma once

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "stock/domain/freshness.h"
#include "stock/feed/hub.h"
#include "stock/rpc/errors.h"
#include "stock/rpc/resume_token.h"
#include "stock/rpc/stock_handlers.h"
#include "stock/rpc/stream_loop.h"

namespace stock::rpc {

inline constexpr std::size_t kMaxChanges = 1000;  // per response
inline constexpr const char* kResumeMetadata = "stock-resume-token";
// A read of the primary on behalf of a stream: nobody waits at the other end of it.
inline constexpr std::chrono::seconds kPatience{5};

// A result that is waited for by the stream's thread. Shared with whoever answers, who may do so
// when the stream is gone.
template <typename T>
class Awaited {
 public:
  explicit Awaited(std::shared_ptr<StreamLoop::Waker> waker) : waker_(std::move(waker)) {}

  void answer(absl::StatusOr<T> value) {
    value_ = std::move(value);
    there_.store(true, std::memory_order_release);
    waker_->wake();
  }
  // Null until it is there.
  absl::StatusOr<T>* get() { return there_.load(std::memory_order_acquire) ? &value_ : nullptr; }

 private:
  const std::shared_ptr<StreamLoop::Waker> waker_;
  std::atomic<bool> there_{false};
  absl::StatusOr<T> value_ = absl::UnknownError("not there yet");
};

// Why streams cannot be had, if they cannot.
inline std::optional<Failure> feed_is_off(const Rooms& rooms) {
  if (rooms.hub != nullptr) return std::nullopt;
  return Failure{.code = grpc::StatusCode::FAILED_PRECONDITION,
                 .reason = "FEED_OFF",
                 .message =
                     "this server does not follow the ledger (--feed off): poll with "
                     "ListStockLevels or ListStockMovements, or ask a server that does",
                 .violations = {},
                 .metadata = {},
                 .retry_after = {}};
}

// The token of a request whose digest is `request`, or what is wrong with it.
inline std::optional<Failure> read_token_of(const Rooms& rooms, const std::string& text,
                                            std::uint64_t request, ResumeToken& out) {
  const auto token = read_resume_token(text);
  if (!token) {
    return bad_field("resume_token", "is not one that a stream gave out; begin without one");
  }
  if (token->request != request) {
    return bad_field("resume_token", "is of another request; begin without one");
  }
  // 0: it was not known yet.
  const std::uint64_t ledger = rooms.identity.ledger();
  if (ledger != 0 && token->ledger != 0 && token->ledger != ledger) {
    return bad_field("resume_token", "is of another ledger; begin without one");
  }
  out = *token;
  return std::nullopt;
}

// Whether it is time for a stream that has nothing to say to say so.
class Pulse {
 public:
  explicit Pulse(const clock::LocalClock& clock) : clock_(clock), last_(clock.now()) {}
  void sent() { last_ = clock_.now(); }
  [[nodiscard]] bool due() const { return clock_.now() - last_ >= std::chrono::milliseconds(900); }

 private:
  const clock::LocalClock& clock_;
  domain::LocalTime last_;
};

// For a stream that is waiting for the feed, and was not served yet.
inline grpc::Status feed_stands_still(const absl::Status& why) {
  const std::string reason = why.ok() ? "it has not begun" : std::string(why.message());
  return to_status(backend_failure(absl::UnavailableError(
      fmt::format("this server's feed stands still, so that no change can be told: {}", reason))));
}

inline grpc::Status shutting_down() {
  return to_status({.code = grpc::StatusCode::UNAVAILABLE,
                    .reason = "SHUTTING_DOWN",
                    .message = "the server is shutting down: go on with another one from the "
                               "resume token",
                    .violations = {},
                    .metadata = {},
                    .retry_after = std::chrono::milliseconds(100)});
}

}  // namespace stock::rpc
