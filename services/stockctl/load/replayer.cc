#include "stockctl/load/replayer.h"

#include <algorithm>

#include "stockctl/files/request_id.h"
#include "stockctl/load/interrupt.h"
#include "stockctl/text/concat.h"

namespace stockctl {
namespace {

// How soon Ctrl-C is noticed, and how often progress can be shown.
constexpr std::chrono::nanoseconds kTick = std::chrono::milliseconds(50);

}  // namespace

Replayer::Replayer(const ClientOptions& client, const Sales& sales, const ReplayOptions& options,
                   LineReport& refused, LineReport& bad)
    : sales_(sales),
      options_(options),
      refused_(refused),
      bad_(bad),
      pipeline_(client),
      order_(sales.lines.size(), sales.keys.size()),
      random_(std::random_device{}()) {}

ReplaySummary Replayer::run(Progress& progress) {
  began_ = Clock::now();
  Clock::time_point now = began_;
  while (next_ < sales_.lines.size() || under_way() > 0) {
    if (interrupted() && summary_.stopped.ok()) summary_.stopped = absl::CancelledError();
    // What is under way is waited for, so that the summary is true.
    if (!summary_.stopped.ok() && pipeline_.in_flight() == 0) break;
    if (summary_.stopped.ok()) start_what_is_due(now);
    if (auto answer = pipeline_.wait(time_to_next_event(now))) {
      now = Clock::now();
      take(*answer, now);
    } else {
      now = Clock::now();
    }
    progress.update(summary_.done() + refused_.count(), now);
  }
  summary_.time = now - began_;
  return summary_;
}

void Replayer::start_what_is_due(Clock::time_point now) {
  while (!retries_.empty() && retries_.top().at <= now) {
    send(retries_.top().line);
    retries_.pop();
  }
  for (; !ready_.empty(); ready_.pop()) send(ready_.front());
  while (under_way() < options_.in_flight && next_ < sales_.lines.size() && due(next_) <= now) {
    const std::uint32_t line = next_++;
    if (order_.begin(line, sales_.lines[line].key)) send(line);
  }
}

Replayer::Clock::time_point Replayer::due(std::uint32_t line) const {
  if (!options_.speed) return began_;
  const std::chrono::duration<double> since_first =
      sales_.lines[line].time - sales_.lines.front().time;
  return began_ + std::chrono::duration_cast<Clock::duration>(since_first / *options_.speed);
}

std::chrono::nanoseconds Replayer::time_to_next_event(Clock::time_point now) const {
  std::chrono::nanoseconds time = kTick;
  if (!summary_.stopped.ok()) return time;
  if (!retries_.empty()) time = std::min<std::chrono::nanoseconds>(time, retries_.top().at - now);
  if (next_ < sales_.lines.size() && under_way() < options_.in_flight) {
    time = std::min<std::chrono::nanoseconds>(time, due(next_) - now);
  }
  return std::max(time, std::chrono::nanoseconds::zero());
}

void Replayer::send(std::uint32_t line) {
  const SalesLine& sale = sales_.lines[line];
  StockKey key = sales_.keys[sale.key];
  stock::v1::AdjustStockRequest request;
  stock::v1::WriteContext& context = *request.mutable_context();
  context.set_request_id(
      request_id_of(options_.digest, concat("replay ", options_.words, " line ", sale.line)));
  context.set_reason(sale.quantity > 0 ? "sale" : "return");
  context.set_reference(sales_.invoices[sale.invoice]);
  context.set_actor(options_.actor);
  stock::v1::Adjustment& adjustment = *request.add_lines();
  adjustment.mutable_key()->set_sku(std::move(key.sku));
  adjustment.mutable_key()->set_location(std::move(key.location));
  adjustment.set_on_hand_delta(-sale.quantity);
  pipeline_.start(line, request);
}

void Replayer::take(const AdjustPipeline::Answer& answer, Clock::time_point now) {
  const std::uint32_t line = answer.tag;
  if (!settle(answer)) {
    const double chance = std::uniform_real_distribution<>()(random_);
    Backoff& backoff = backoffs_.try_emplace(line, options_.retry_for).first->second;
    if (const auto wait = backoff.after(answer.response.status(), now, chance)) {
      ++summary_.retries;
      retries_.push({.at = now + *wait, .line = line});
    } else if (summary_.stopped.ok()) {
      summary_.stopped = answer.response.status();
    }
    return;
  }
  backoffs_.erase(line);
  if (const auto next = order_.end(sales_.lines[line].key)) ready_.push(*next);
}

bool Replayer::settle(const AdjustPipeline::Answer& answer) {
  if (answer.response.ok()) {
    ++(answer.response->replayed() ? summary_.already_applied : summary_.applied);
    return true;
  }
  const absl::Status& status = answer.response.status();
  const std::int64_t line = sales_.lines[answer.tag].line;
  if (absl::IsFailedPrecondition(status)) {
    refused_.add(line, message_of(status));
    return true;
  }
  if (absl::IsInvalidArgument(status) || absl::IsOutOfRange(status)) {
    bad_.add(line, message_of(status));
    return true;
  }
  return false;
}

}  // namespace stockctl
