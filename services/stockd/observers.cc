#include "stockd/observers.h"

#include <algorithm>

#include "stock/telemetry/trace_context.h"

namespace stockd {

using stock::telemetry::Labels;
using stock::telemetry::Metrics;

namespace {

// From what memory takes to what a caller waits.
const std::vector<double> kSecondsBounds = {
    0.000002, 0.00001, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
    0.025,    0.05,    0.1,     0.25,   0.5,     1,      2.5,   5,      10};
const std::vector<double> kAgeBounds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                        0.5,    1,     2.5,    5,     10,   30,    60,   300, 3600};
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

}  // namespace

// ---- Reads

ReadMetrics::ReadMetrics(Metrics& metrics, const std::vector<std::string>& layers) {
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

void ReadMetrics::answered(std::size_t stage, std::chrono::microseconds age) {
  layers_[stage].responses->add();
  layers_[stage].age->observe(age);
}

void ReadMetrics::judged(std::size_t stage, stock::layers::Judgement judgement) {
  if (auto* copies = layers_[stage].copies[static_cast<std::size_t>(judgement)]) copies->add();
}

// ---- The feed

FeedMetrics::FeedMetrics(Metrics& metrics, const stock::clock::LocalClock& clock)
    : moves_(metrics.counter("stock_feed_movements_total", "Movements that the feed applied.")),
      lag_(metrics.histogram("stock_feed_lag_seconds",
                             "Time from the commit of a movement to the feed's having applied it, "
                             "at most.",
                             kAgeBounds)),
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

WriteMetrics::WriteMetrics(Metrics& metrics)
    : requests_(metrics.histogram("stock_write_batch_requests",
                                  "Requests that were committed together.", kBatchBounds)),
      seconds_(metrics.histogram("stock_write_batch_seconds",
                                 "Time of a write transaction, from its begin to its commit.",
                                 kSecondsBounds)),
      movements_(metrics.counter("stock_write_movements_total", "Movements written.")) {
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

void WriteMetrics::batch_committed(std::size_t requests, std::size_t movements,
                                   std::chrono::nanoseconds duration) {
  requests_.observe(static_cast<double>(requests));
  seconds_.observe(duration);
  movements_.add(static_cast<std::int64_t>(movements));
}

void WriteMetrics::refused(stock::ledger::Reason reason) {
  refusals_[static_cast<std::size_t>(reason)]->add();
}

void WriteMetrics::retried(stock::ledger::Retry retry) {
  retries_[static_cast<std::size_t>(retry)]->add();
}

// ---- Drift

DriftMetrics::DriftMetrics(Metrics& metrics, const std::vector<std::string>& layers,
                           const stock::clock::LocalClock& clock)
    : passes_ok_(metrics.counter("stock_audit_passes_total", "Passes of the auditor, by outcome.",
                                 {{"outcome", "ok"}})),
      passes_failed_(metrics.counter("stock_audit_passes_total",
                                     "Passes of the auditor, by outcome.",
                                     {{"outcome", "failed"}})),
      keys_(metrics.counter("stock_audit_keys_total", "Keys examined by the auditor.")),
      log_failures_(clock, std::chrono::seconds(10)) {
  for (const std::string& name : layers) {
    Layer& layer = layers_.emplace_back();
    for (std::size_t i = 0; i < layer.checks.size(); ++i) {
      const auto verdict = static_cast<stock::drift::Verdict>(i);
      layer.checks[i] = &metrics.counter(
          "stock_divergence_checks_total",
          "Comparisons of a layer with the ledger, one key each, by verdict.",
          {{"layer", name}, {"verdict", std::string(stock::drift::verdict_name(verdict))}});
    }
    const Labels labels = {{"layer", name}};
    layer.keys = &metrics.gauge("stock_divergent_keys",
                                "Keys on which a layer is known to contradict the ledger.", labels);
    layer.units = &metrics.gauge("stock_divergence_units",
                                 "Largest error of what a layer says is available, over the keys "
                                 "on which it contradicts the ledger.",
                                 labels);
    layer.versions = &metrics.gauge("stock_divergence_versions",
                                    "Most versions that a layer is behind, or ahead, over the keys "
                                    "on which it contradicts the ledger.",
                                    labels);
    layer.seconds = &metrics.gauge("stock_divergence_seconds",
                                   "Longest time that what a layer says has been superseded, over "
                                   "the keys on which it contradicts the ledger.",
                                   labels);
  }
}

void DriftMetrics::examined(std::size_t layer, stock::drift::Verdict verdict) {
  layers_[layer].checks[static_cast<std::size_t>(verdict)]->add();
}

void DriftMetrics::pass_finished(std::size_t keys,
                                 std::span<const stock::drift::LayerSummary> layers) {
  passes_ok_.add();
  keys_.add(static_cast<std::int64_t>(keys));
  for (std::size_t i = 0; i < layers.size(); ++i) {
    layers_[i].keys->set(static_cast<double>(layers[i].divergent_keys));
    layers_[i].units->set(static_cast<double>(layers[i].max_units));
    layers_[i].versions->set(static_cast<double>(layers[i].max_versions));
    layers_[i].seconds->set(seconds(layers[i].max_age));
  }
}

void DriftMetrics::pass_failed(const absl::Status& why) {
  passes_failed_.add();
  if (const auto suppressed = log_failures_.admit()) {
    stock::telemetry::log_warn(
        "the auditor could not ask the ledger",
        {{"error", std::string(why.message())}, {"suppressed", *suppressed}});
  }
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
