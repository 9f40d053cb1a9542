#include "stockd/observers.h"

#include <algorithm>

#include "stock/telemetry/trace_context.h"
#include "stockd/seconds_bounds.h"

namespace stockd {

using stock::telemetry::Labels;
using stock::telemetry::Metrics;

namespace {

const std::vector<double> kAgeBounds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                        0.5,    1,     2.5,    5,     10,   30,    60,   300, 3600};
// Finer where it usually is: between nothing and a poll or two.
const std::vector<double> kLagBounds = {0.0025, 0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.035, 0.04,
                                        0.05,   0.075, 0.1,  0.25,  0.5,  1,     2.5,  10,    60};
const std::vector<double> kBatchBounds = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};

// As Go spells them; dashboards made for other servers fit.
constexpr std::array<const char*, 17> kCodeNames = {
    "OK",       "Canceled",       "Unknown",          "InvalidArgument",   "DeadlineExceeded",
    "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
    "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
    "DataLoss", "Unauthenticated"};

constexpr std::array<const char*, stock::layers::kJudgements> kJudgementNames = {
    "current", "superseded", "own_stamp", "void", "corrupt"};
constexpr std::array<const char*, stock::feed::TailObserver::kOutcomes> kPollNames = {
    "moved", "idle", "failed", "began"};

double seconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

std::optional<std::chrono::nanoseconds> duration(std::optional<double> seconds) {
  if (!seconds) return std::nullopt;
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::duration<double>(*seconds));
}

}  // namespace

// ---- Reads

ReadMetrics::ReadMetrics(Metrics& metrics, const std::vector<std::string>& layers,
                         stock::drift::ReadSample& sample)
    : sample_(sample) {
  for (const std::string& name : layers) {
    Layer& layer = layers_.emplace_back();
    for (std::size_t i = 0; i < layer.reads.size(); ++i) {
      const auto outcome = static_cast<stock::domain::Outcome>(i);
      layer.reads[i] = &metrics.counter(
          "stock_layer_reads_total", "Keys that a layer was asked for, by what became of it.",
          {{"layer", name}, {"outcome", std::string(stock::domain::outcome_name(outcome))}});
    }
    layer.seconds = &metrics.histogram("stock_layer_read_seconds",
                                       "Time from asking a layer to its answer, per read.",
                                       kSecondsBounds, {{"layer", name}});
    layer.responses =
        &metrics.counter("stock_responses_total",
                         "Levels answered, by the layer that they came from.", {{"layer", name}});
    // The ledger's own statements are no copies.
    for (std::size_t i = 0; name != "primary" && i < layer.copies.size(); ++i) {
      layer.copies[i] =
          &metrics.counter("stock_copies_total",
                           "Copies that a layer had, by what the feed says of them: current (true "
                           "through the watermark), superseded, own_stamp (true through their own "
                           "date, more is not known), void (of another history of the ledger), "
                           "corrupt.",
                           {{"layer", name}, {"outcome", kJudgementNames[i]}});
    }
    layer.age = &metrics.histogram("stock_response_age_seconds",
                                   "Age of answered levels: now minus the instant through which "
                                   "they are known to have been true.",
                                   kAgeBounds, {{"layer", name}});
  }
}

void ReadMetrics::visited(std::size_t stage, const stock::domain::Visit& visit) {
  Layer& layer = layers_[stage];
  for (std::size_t i = 0; i < visit.keys.size(); ++i) {
    if (visit.keys[i] > 0) layer.reads[i]->add(visit.keys[i]);
  }
  // A layer that was not asked took no time.
  if (visit.count(stock::domain::Outcome::kBypassed) == 0) layer.seconds->observe(visit.time);
}

void ReadMetrics::answered(std::size_t stage, std::chrono::microseconds age, std::int64_t levels) {
  layers_[stage].responses->add(levels);
  layers_[stage].age->observe(age, levels);
}

void ReadMetrics::judged(std::size_t stage, stock::layers::Judgement judgement,
                         std::int64_t copies) {
  if (auto* counter = layers_[stage].copies[static_cast<std::size_t>(judgement)]) {
    counter->add(copies);
  }
}

void ReadMetrics::tally(std::size_t stage, stock::drift::LayerTally& out) const {
  using stock::domain::Outcome;
  const Layer& layer = layers_[stage];
  const auto reads = [&](Outcome outcome) {
    return layer.reads[static_cast<std::size_t>(outcome)]->value();
  };
  for (const auto* counter : layer.reads) out.keys_asked += counter->value();
  // Not asked at all.
  out.keys_asked -=
      reads(Outcome::kBypassed) + reads(Outcome::kBreakerOpen) + reads(Outcome::kRefused);
  out.keys_hit = reads(Outcome::kHit) + reads(Outcome::kCoalesced);
  out.answers = layer.responses->value();
  out.read_time_p50 = duration(layer.seconds->quantile(0.5));
  out.age_p50 = duration(layer.age->quantile(0.5));
  out.age_p99 = duration(layer.age->quantile(0.99));
}

// ---- The feed

FeedMetrics::FeedMetrics(Metrics& metrics, const stock::clock::LocalClock& clock)
    : moves_(metrics.counter("stock_feed_movements_total", "Movements that the feed applied.")),
      lag_(metrics.histogram("stock_feed_lag_seconds",
                             "Time from the commit of a movement to the feed's having applied it, "
                             "at most.",
                             kLagBounds)),
      log_failures_(clock, std::chrono::seconds(10)) {
  for (std::size_t i = 0; i < polls_.size(); ++i) {
    polls_[i] = &metrics.counter(
        "stock_feed_polls_total",
        "Polls of the ledger by the feed, by outcome: moved, idle (nothing had), failed, or began "
        "(anew, after a start or in another history of the ledger).",
        {{"outcome", kPollNames[i]}});
  }
}

void FeedMetrics::polled(Outcome outcome, const absl::Status& status) {
  polls_[static_cast<std::size_t>(outcome)]->add();
  if (status.ok()) return;
  if (const auto suppressed = log_failures_.admit()) {
    stock::telemetry::log_warn(
        "the feed could not ask the ledger: copies grow old",
        {{"error", std::string(status.message())}, {"suppressed", *suppressed}});
  }
}

void FeedMetrics::applied(std::chrono::nanoseconds lag) {
  moves_.add();
  lag_.observe(lag);
}

// ---- Writes

namespace {

std::string lower(std::string_view name) {
  std::string text(name);
  std::ranges::transform(text, text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  });
  return text;
}

}  // namespace

WriteMetrics::WriteMetrics(Metrics& metrics)
    : requests_(metrics.histogram("stock_write_batch_requests",
                                  "Requests that were decided together, also those refused.",
                                  kBatchBounds)),
      seconds_(metrics.histogram("stock_write_batch_seconds",
                                 "Time of a write transaction, from its begin to its commit, or to "
                                 "its end where it had nothing to write.",
                                 kSecondsBounds)),
      wait_(metrics.histogram("stock_write_wait_seconds",
                              "How long requests waited for a batch to take them.",
                              kSecondsBounds)) {
  for (std::size_t i = 0; i < movements_.size(); ++i) {
    const auto kind = static_cast<stock::domain::MovementKind>(i);
    movements_[i] = &metrics.counter("stock_write_movements_total", "Movements written, by kind.",
                                     {{"kind", lower(stock::domain::kind_name(kind))}});
  }
  for (std::size_t i = 0; i < reservations_.size(); ++i) {
    const auto state = static_cast<stock::domain::ReservationState>(i);
    reservations_[i] = &metrics.counter(
        "stock_reservations_total",
        "Reservations written, by the state that this left them in: each step of each counts.",
        {{"state", lower(stock::domain::state_name(state))}});
  }
  for (std::size_t i = 0; i < refusals_.size(); ++i) {
    const auto reason = static_cast<stock::ledger::Reason>(i);
    refusals_[i] =
        &metrics.counter("stock_write_refusals_total", "Writes that changed nothing, by reason.",
                         {{"reason", std::string(stock::ledger::reason_name(reason))}});
  }
  for (std::size_t i = 0; i < retries_.size(); ++i) {
    const auto retry = static_cast<stock::ledger::Retry>(i);
    retries_[i] =
        &metrics.counter("stock_write_retries_total", "Batches that were run again, by reason.",
                         {{"reason", std::string(stock::ledger::retry_name(retry))}});
  }
}

void WriteMetrics::waited(std::chrono::nanoseconds duration) { wait_.observe(duration); }

void WriteMetrics::batch_decided(const stock::ledger::Plan& plan,
                                 std::chrono::nanoseconds duration) {
  requests_.observe(static_cast<double>(plan.outcomes.size()));
  seconds_.observe(duration);
  for (const auto& movement : plan.movements) {
    movements_[static_cast<std::size_t>(movement.kind)]->add();
  }
  for (const auto& planned : plan.reservations) {
    reservations_[static_cast<std::size_t>(planned.reservation.state)]->add();
  }
}

void WriteMetrics::refused(stock::ledger::Reason reason) {
  refusals_[static_cast<std::size_t>(reason)]->add();
}

void WriteMetrics::retried(stock::ledger::Retry retry) {
  retries_[static_cast<std::size_t>(retry)]->add();
}

// ---- Calls

std::size_t CallMetrics::method(std::string_view service, std::string_view name, bool streaming) {
  Method& method = methods_.emplace_back();
  method.service = service;
  method.name = name;
  method.streaming = streaming;
  const Labels labels = {{"grpc_type", streaming ? "server_stream" : "unary"},
                         {"grpc_service", method.service},
                         {"grpc_method", method.name}};
  method.started =
      &metrics_.counter("grpc_server_started_total", "Calls started on the server.", labels);
  method.received =
      &metrics_.counter("grpc_server_msg_received_total", "Messages received.", labels);
  method.sent = &metrics_.counter("grpc_server_msg_sent_total", "Messages sent.", labels);
  for (std::size_t code = 0; code < kCodes; ++code) {
    Labels with_code = labels;
    with_code.emplace_back("grpc_code", kCodeNames[code]);
    method.handled[code] = &metrics_.counter("grpc_server_handled_total",
                                             "Calls completed on the server, by code.", with_code);
  }
  method.seconds = &metrics_.histogram("grpc_server_handling_seconds",
                                       "Time from the start of a call to its end on the server.",
                                       kSecondsBounds, labels);
  return methods_.size() - 1;
}

void CallMetrics::started(std::size_t method) {
  methods_[method].started->add();
  methods_[method].received->add();
}

void CallMetrics::handled(std::size_t number, const stock::rpc::HandledCall& call) {
  Method& method = methods_[number];
  const auto code = std::clamp<std::size_t>(static_cast<std::size_t>(call.code), 0, kCodes - 1);
  method.handled[code]->add();
  if (code == 0 && !method.streaming) method.sent->add();
  method.seconds->observe(call.duration);

  const std::string_view name = kCodeNames[code];
  const bool ours = name == "Unknown" || name == "Internal" || name == "Unavailable" ||
                    name == "DataLoss" || name == "ResourceExhausted";
  if (!ours) return;
  const auto suppressed = log_failures_.admit();
  if (!suppressed) return;
  const auto trace = stock::telemetry::parse_traceparent(call.traceparent);
  stock::telemetry::log_warn("a call failed",
                             {{"grpc_service", method.service},
                              {"grpc_method", method.name},
                              {"grpc_code", name},
                              {"error", call.message},
                              {"seconds", seconds(call.duration)},
                              {"peer", call.peer},
                              {"suppressed", *suppressed}},
                             trace ? &*trace : nullptr);
}

}  // namespace stockd
