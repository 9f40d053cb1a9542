#include "stockctl/load/replayer.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "stockctl/files/request_id.h"
#include "stockctl/load/interrupt.h"
#include "stockctl/rpc/error_details.h"
#include "stockctl/text/concat.h"

namespace stockctl {
namespace {

// How soon Ctrl-C is noticed, and how often progress can be shown.
constexpr std::chrono::nanoseconds kTick = std::chrono::milliseconds(50);
// Long enough for a server that is restarted; short enough that a replay that was given up leaves
// nothing behind.
constexpr std::int64_t kHoldSeconds = 900;

void set_key(const StockKey& key, stock::v1::Key& message) {
  message.set_sku(key.sku);
  message.set_location(key.location);
}

bool applied_before(const WriteResponse& response) {
  return std::visit([](const auto& message) { return message.replayed(); }, response);
}

}  // namespace

Replayer::Replayer(const ClientOptions& client, const Sales& sales, const ReplayOptions& options,
                   LineReport& refused, LineReport& bad)
    : sales_(sales),
      options_(options),
      refused_(refused),
      bad_(bad),
      bookings_(bookings_of(sales)),
      order_(bookings_, sales.keys.size()),
      writes_(client, options.retry_for,
              [this](std::uint32_t booking) { return request_of(booking); }) {}

ReplaySummary Replayer::run(Progress& progress) {
  began_ = Clock::now();
  Clock::time_point now = began_;
  while (next_ < bookings_.size() || under_way_ > 0) {
    if (interrupted() && summary_.stopped.ok()) {
      summary_.stopped = absl::CancelledError();
      writes_.stop_trying();
    }
    // What has begun is brought to its end, so that the summary is true and nothing stays held.
    if (!summary_.stopped.ok() && writes_.under_way() == 0) break;
    if (summary_.stopped.ok()) begin_what_is_due(now);
    if (const auto answer = writes_.wait(time_to_next(now))) take(*answer);
    now = Clock::now();
    progress.update(summary_.done(), now);
  }
  summary_.retries = writes_.retries();
  summary_.time = now - began_;
  return summary_;
}

void Replayer::begin_what_is_due(Clock::time_point now) {
  while (under_way_ < options_.in_flight && next_ < bookings_.size() && next_due() <= now) {
    const std::uint32_t booking = next_++;
    ++under_way_;
    if (order_.begin(booking)) begin(booking);
  }
}

void Replayer::begin(std::uint32_t booking) {
  const bool brings_back = bookings_[booking].brings_back();
  open_[booking] = {.step = brings_back ? Step::kBringBack : Step::kReserve};
  writes_.start(booking);
}

Replayer::Clock::time_point Replayer::next_due() const {
  if (!options_.speed) return began_;
  const std::chrono::duration<double> since_first =
      bookings_[next_].lines.front().time - sales_.lines.front().time;
  return began_ + std::chrono::duration_cast<Clock::duration>(since_first / *options_.speed);
}

std::chrono::nanoseconds Replayer::time_to_next(Clock::time_point now) const {
  std::chrono::nanoseconds time = kTick;
  if (summary_.stopped.ok() && next_ < bookings_.size() && under_way_ < options_.in_flight) {
    time = std::min<std::chrono::nanoseconds>(time, next_due() - now);
  }
  return std::max(time, std::chrono::nanoseconds::zero());
}

WriteRequest Replayer::request_of(std::uint32_t number) const {
  const Booking& booking = bookings_[number];
  const Open& open = open_.at(number);
  const SalesLine& first = booking.lines.front();
  const auto id_of = [&](std::string_view step) {
    return request_id_of(options_.digest, concat("replay ", options_.words, " line ", first.line,
                                                 ' ', step, ' ', open.attempt));
  };
  const auto named = [&](auto request, std::string_view step) {
    stock::v1::WriteContext& context = *request.mutable_context();
    context.set_request_id(id_of(step));
    context.set_reason(booking.brings_back() ? "return" : "sale");
    context.set_reference(sales_.invoices[first.invoice]);
    context.set_actor(options_.actor);
    return request;
  };
  switch (open.step) {
    case Step::kBringBack: {
      auto request = named(stock::v1::AdjustStockRequest(), "return");
      for (const SalesLine& line : booking.lines) {
        stock::v1::Adjustment& adjustment = *request.add_lines();
        set_key(sales_.keys[line.key], *adjustment.mutable_key());
        adjustment.set_on_hand_delta(-line.quantity);
      }
      return request;
    }
    case Step::kReserve: {
      auto request = named(stock::v1::CreateReservationRequest(), "reserve");
      request.set_reservation_id(request.context().request_id());
      request.mutable_ttl()->set_seconds(kHoldSeconds);
      for (const SalesLine& line : booking.lines) {
        stock::v1::ReservedUnits& units = *request.add_lines();
        set_key(sales_.keys[line.key], *units.mutable_key());
        units.set_quantity(line.quantity);
      }
      return request;
    }
    case Step::kCommit: {
      auto request = named(stock::v1::CommitReservationRequest(), "commit");
      request.set_reservation_id(id_of("reserve"));
      return request;
    }
    case Step::kFulfill:
      break;
  }
  auto request = named(stock::v1::FulfillReservationRequest(), "fulfill");
  request.set_reservation_id(id_of("reserve"));
  return request;
}

void Replayer::take(const WriteAnswer& answer) {
  const Booking& booking = bookings_[answer.tag];
  Open& open = open_.at(answer.tag);
  const std::optional<Step> next = answer.response.ok()
                                       ? next_step(open, *answer.response)
                                       : next_step(open, booking, answer.response.status());
  if (next) {
    open.step = *next;
    if (summary_.stopped.ok() || absl::IsCancelled(summary_.stopped)) writes_.start(answer.tag);
    return;
  }
  const bool settled = answer.response.ok();
  if (settled) {
    const auto lines = static_cast<std::int64_t>(booking.lines.size());
    (!open.applied           ? summary_.already_applied
     : booking.brings_back() ? summary_.brought_back
                             : summary_.sold) += lines;
  }
  end(answer.tag);
}

std::optional<Replayer::Step> Replayer::next_step(Open& open, const WriteResponse& response) {
  open.applied |= !applied_before(response);
  switch (open.step) {
    case Step::kReserve:
      // As an earlier run left it, if that began it.
      switch (std::get<stock::v1::CreateReservationResponse>(response).reservation().state()) {
        case stock::v1::RESERVATION_STATE_HELD:
          return Step::kCommit;
        case stock::v1::RESERVATION_STATE_COMMITTED:
          return Step::kFulfill;
        case stock::v1::RESERVATION_STATE_EXPIRED:
          ++open.attempt;
          return Step::kReserve;
        default:
          return std::nullopt;
      }
    case Step::kCommit:
      return Step::kFulfill;
    default:
      return std::nullopt;
  }
}

std::optional<Replayer::Step> Replayer::next_step(Open& open, const Booking& booking,
                                                  const absl::Status& refusal) {
  const SalesLine& first = booking.lines.front();
  const auto lines = static_cast<std::int64_t>(booking.lines.size());
  const std::string reason =
      concat("invoice ", sales_.invoices[first.invoice], ": ", message_of(refusal));
  if (absl::IsFailedPrecondition(refusal)) {
    if (details_of(refusal).info.reason() == "RESERVATION_EXPIRED") {
      ++open.attempt;
      return Step::kReserve;
    }
    refused_.add(first.line, reason, lines);
    summary_.refused += lines;
  } else if (absl::IsInvalidArgument(refusal) || absl::IsOutOfRange(refusal)) {
    bad_.add(first.line, reason, lines);
    summary_.bad += lines;
  } else if (summary_.stopped.ok()) {
    summary_.stopped = refusal;
    writes_.stop_trying();
  }
  return std::nullopt;
}

void Replayer::end(std::uint32_t booking) {
  open_.erase(booking);
  --under_way_;
  for (const std::uint32_t next : order_.end(booking)) {
    if (summary_.stopped.ok()) begin(next);
  }
}

}  // namespace stockctl
