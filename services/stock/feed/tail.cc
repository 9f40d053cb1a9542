#include "stock/feed/tail.h"

#include <algorithm>
#include <utility>

namespace stock::feed {

using Outcome = TailObserver::Outcome;

Tail::Tail(const Options& options, Source& source, View& view, std::vector<Listener*> listeners,
           Attention& attention, const clock::LocalClock& clock,
           const clock::DatabaseClock& database_clock, TailObserver& observer)
    : options_(options),
      source_(source),
      view_(view),
      listeners_(std::move(listeners)),
      attention_(attention),
      clock_(clock),
      database_clock_(database_clock),
      observer_(observer),
      thread_([this] { run(); }) {}

Tail::~Tail() {
  attention_.stop();
  thread_.join();
}

void Tail::run() {
  while (true) {
    const domain::LocalTime began = clock_.now();
    const absl::Status status = step();
    if (attention_.stopped()) return;
    if (!status.ok()) {
      observer_.polled(Outcome::kFailed, status);
      for (Listener* listener : listeners_) listener->stalled(status);
    }
    const bool idle = status.ok() && clock_.now() >= busy_until_;
    if (!attention_.rest(pause(began), idle)) return;
  }
}

// From the beginning of one poll to that of the next.
std::chrono::nanoseconds Tail::pause(domain::LocalTime began) {
  const domain::LocalTime now = clock_.now();
  if (moved_ > 0 || attention_.take()) busy_until_ = now + options_.idle_after;
  const auto interval = now < busy_until_ ? options_.interval : options_.idle_interval;
  return std::max<std::chrono::nanoseconds>(began + interval - now, std::chrono::nanoseconds(0));
}

absl::Status Tail::step() {
  if (!position_) return begin();
  return poll();
}

// What moved since the heartbeat goes to the table alone: nobody holds a copy yet.
absl::Status Tail::begin() {
  view_.begin();
  for (Listener* listener : listeners_) listener->began();
  moved_ = 0;
  const absl::StatusOr<Beginning> beginning = source_.begin();
  if (!beginning.ok()) return beginning.status();
  incarnation_ = beginning->incarnation;
  const absl::StatusOr<Poll> poll =
      source_.poll(incarnation_, beginning->snapshot,
                   [this](const Poll& p, std::span<const Move> moves) { deliver(p, moves); });
  if (!poll.ok()) return poll.status();
  if (poll->incarnation != incarnation_) {
    return absl::UnavailableError("the ledger's incarnation has just changed");
  }
  view_.open(incarnation_, beginning->heartbeat);
  publish(*poll);
  observer_.polled(Outcome::kBegan, absl::OkStatus());
  return absl::OkStatus();
}

absl::Status Tail::poll() {
  moved_ = 0;
  const absl::StatusOr<Poll> poll =
      source_.poll(incarnation_, *position_,
                   [this](const Poll& p, std::span<const Move> moves) { deliver(p, moves); });
  if (absl::IsOutOfRange(poll.status()) || (poll.ok() && poll->incarnation != incarnation_)) {
    position_.reset();
    return begin();
  }
  if (!poll.ok()) return poll.status();
  publish(*poll);
  observer_.polled(moved_ > 0 ? Outcome::kMoved : Outcome::kIdle, absl::OkStatus());
  return absl::OkStatus();
}

void Tail::deliver(const Poll& poll, std::span<const Move> moves) {
  moved_ += moves.size();
  view_.record(moves, poll.heartbeat + 2);
  for (Listener* listener : listeners_) listener->moved(moves);
  if (!position_) return;  // of the last minutes
  const auto latest = database_clock_.latest(clock_.now());
  for (const Move& move : moves) {
    if (latest) observer_.applied(std::max<std::chrono::nanoseconds>(*latest - move.as_of, {}));
  }
}

void Tail::publish(const Poll& poll) {
  position_ = poll.snapshot;
  const Watermark watermark{.incarnation = poll.incarnation,
                            .stamp = poll.stamp,
                            .confirmed_at = poll.sent,
                            .round_trip = poll.received - poll.sent,
                            .heartbeat = poll.heartbeat,
                            .xmin = poll.snapshot->xmin(),
                            .xmax = poll.snapshot->xmax()};
  view_.publish(watermark, poll.snapshot);
  for (Listener* listener : listeners_) listener->advanced(watermark, poll.snapshot);
}

}  // namespace stock::feed
