#include "stockd/drift_metrics.h"

#include <algorithm>

#include "stock/clock/wall_clock.h"
#include "stock/drift/words.h"
#include "stockd/seconds_bounds.h"

namespace stockd {

using stock::telemetry::Labels;
using stock::telemetry::Metrics;

namespace {

double seconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

DriftMetrics::DriftMetrics(Metrics& metrics, const std::vector<std::string>& layers,
                           std::chrono::nanoseconds late_after,
                           const stock::clock::LocalClock& clock)
    : health_(late_after, clock),
      passes_ok_(metrics.counter("stock_audit_passes_total", "Passes of the auditor, by outcome.",
                                 {{"outcome", "ok"}})),
      passes_failed_(metrics.counter("stock_audit_passes_total",
                                     "Passes of the auditor, by outcome.",
                                     {{"outcome", "failed"}})),
      rounds_(metrics.counter("stock_audit_rounds_total",
                              "Times that the auditor has examined every key in every layer: the "
                              "leader's doing.")),
      round_seconds_(
          metrics.gauge("stock_audit_round_seconds",
                        "How long the auditor's last complete round took; 0: none yet.")),
      last_pass_(metrics.gauge("stock_audit_last_pass_timestamp_seconds",
                               "When the auditor last finished a pass; 0: not yet.")),
      last_round_(
          metrics.gauge("stock_audit_last_round_timestamp_seconds",
                        "When the auditor last finished a round over every key and layer; 0: "
                        "not yet, as where another one leads.")),
      coverage_(
          metrics.gauge("stock_audit_coverage_ratio",
                        "Share of the auditor's present round over every key and layer that is "
                        "done; 0 where another one leads.")),
      detection_(metrics.histogram("stock_audit_detection_seconds",
                                   "Time from the move, or the read, of a key to the finding that "
                                   "a layer contradicts the ledger on it.",
                                   kSecondsBounds)),
      unit_seconds_(layers.size()),
      log_failures_(clock, std::chrono::seconds(10)) {
  for (std::size_t i = 0; i < stock::drift::kCauses; ++i) {
    const Labels cause = {
        {"cause", std::string(stock::drift::cause_name(static_cast<stock::drift::Cause>(i)))}};
    keys_[i] = &metrics.counter("stock_audit_keys_total",
                                "Keys examined by the auditor, by cause: moved, read, round (in "
                                "their turn), or suspect (known to diverge).",
                                cause);
    dropped_[i] = &metrics.counter(
        "stock_audit_dropped_keys_total",
        "Keys that the auditor did not examine because there were too many, or because the ledger "
        "could not be asked, by cause.",
        cause);
  }
  const auto busy = [&metrics](std::string load, const std::atomic<std::int64_t>& ns) {
    metrics.counter_callback("stock_audit_busy_seconds_total",
                             "Time that the auditor spent asking layers and the ledger, by load: "
                             "serving, to which its budget applies, or idle, while nothing moved "
                             "and nobody read.",
                             {{"load", std::move(load)}},
                             [&ns] { return static_cast<double>(ns.load()) / 1e9; });
  };
  busy("serving", busy_ns_);
  busy("idle", busy_idle_ns_);
  for (const std::string& name : layers) {
    Layer& layer = layers_.emplace_back(Consistency(metrics, name));
    for (std::size_t i = 0; i < layer.checks.size(); ++i) {
      const auto verdict = static_cast<stock::drift::Verdict>(i);
      layer.checks[i] = &metrics.counter(
          "stock_divergence_checks_total",
          "Comparisons of a layer with the ledger, one key each, by verdict.",
          {{"layer", name}, {"verdict", std::string(stock::drift::verdict_name(verdict))}});
    }
    const Labels labels = {{"layer", name}};
    layer.keys =
        &metrics.gauge("stock_divergent_keys",
                       "Keys on which a layer is known to contradict the ledger; no more than "
                       "1000 are followed up.",
                       labels);
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
    metrics.counter_callback("stock_divergence_unit_seconds_total",
                             "Units by which a layer was wrong of what is available, times the "
                             "seconds that it was seen to be: summed over keys and time.",
                             labels, [&total = unit_seconds_[layers_.size() - 1]] {
                               return total.load(std::memory_order_relaxed);
                             });
  }
}

void DriftMetrics::examined(std::size_t number, const stock::drift::Judgement& judgement) {
  Layer& layer = layers_[number];
  layer.checks[static_cast<std::size_t>(judgement.verdict)]->add();
  layer.consistency.count(judgement);
}

void DriftMetrics::looked(stock::drift::Cause cause, std::size_t keys) {
  keys_[static_cast<std::size_t>(cause)]->add(static_cast<std::int64_t>(keys));
}

void DriftMetrics::dropped(stock::drift::Cause cause, std::size_t keys) {
  dropped_[static_cast<std::size_t>(cause)]->add(static_cast<std::int64_t>(keys));
}

void DriftMetrics::pass_finished(std::span<const stock::drift::LayerSummary> layers,
                                 const stock::drift::Pass& pass) {
  health_.finished();
  passes_ok_.add();
  (pass.idle ? busy_idle_ns_ : busy_ns_) += pass.busy.count();
  last_pass_.set(stock::clock::wall_seconds());
  coverage_.set(pass.coverage);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    layers_[i].keys->set(static_cast<double>(layers[i].divergent_keys));
    layers_[i].units->set(static_cast<double>(layers[i].max_units));
    layers_[i].versions->set(static_cast<double>(layers[i].max_versions));
    layers_[i].seconds->set(seconds(layers[i].max_age));
    unit_seconds_[i].store(layers[i].unit_seconds, std::memory_order_relaxed);
  }
}

void DriftMetrics::round_finished(std::chrono::nanoseconds duration) {
  rounds_.add();
  round_seconds_.set(seconds(duration));
  last_round_.set(stock::clock::wall_seconds());
}

void DriftMetrics::pass_failed(const absl::Status& why) {
  health_.failed(why);
  passes_failed_.add();
  if (const auto suppressed = log_failures_.admit()) {
    stock::telemetry::log_warn(
        "the auditor could not ask the ledger",
        {{"error", std::string(why.message())}, {"suppressed", *suppressed}});
  }
}

void DriftMetrics::tally(std::size_t layer, stock::drift::LayerTally& out) const {
  using stock::drift::Verdict;
  layers_[layer].consistency.tally(out);
  out.unit_seconds = unit_seconds_[layer].load(std::memory_order_relaxed);
  for (std::size_t i = 0; i < stock::drift::kLayerVerdicts; ++i) {
    const auto verdict = static_cast<Verdict>(i);
    const bool wrong = stock::drift::diverges(verdict);
    if (!wrong && verdict != Verdict::kCurrent) continue;
    const std::int64_t checks = layers_[layer].checks[i]->value();
    out.examined += checks;
    if (wrong) out.diverged += checks;
  }
  out.divergent_keys = static_cast<std::int64_t>(layers_[layer].keys->value());
}

SelfTestMetrics::SelfTestMetrics(Metrics& metrics, std::vector<std::string> layers,
                                 const stock::clock::LocalClock& clock)
    : detection_(metrics.histogram("stock_selftest_detection_seconds",
                                   "Time from the planting of a lie by the auditor's self-test to "
                                   "its finding.",
                                   kSecondsBounds)),
      log_failures_(clock, std::chrono::seconds(10)) {
  layers.emplace_back("made_up");
  for (const std::string& layer : layers) {
    const auto lies = [&](const char* outcome) {
      return &metrics.counter("stock_selftest_lies_total",
                              "Lies that the auditor's self-test planted, by layer and outcome.",
                              {{"layer", layer}, {"outcome", outcome}});
    };
    counters_.emplace(layer,
                      Counters{.found = lies("found"),
                               .missed = lies("missed"),
                               .accusations = &metrics.counter(
                                   "stock_selftest_false_accusations_total",
                                   "Honest statements of the auditor's self-test that were called "
                                   "divergences, by layer.",
                                   {{"layer", layer}})});
  }
}

void SelfTestMetrics::lie_found(std::string_view layer, std::chrono::nanoseconds after) {
  counters_.find(layer)->second.found->add();
  detection_.observe(after);
}

void SelfTestMetrics::lie_missed(std::string_view layer, std::string_view lie) {
  counters_.find(layer)->second.missed->add();
  if (const auto suppressed = log_failures_.admit()) {
    stock::telemetry::log_error(
        "the auditor has missed a planted lie",
        {{"layer", std::string(layer)}, {"lie", std::string(lie)}, {"suppressed", *suppressed}});
  }
}

void SelfTestMetrics::falsely_accused(std::string_view layer) {
  counters_.find(layer)->second.accusations->add();
  if (const auto suppressed = log_failures_.admit()) {
    stock::telemetry::log_error("the auditor has accused an honest statement of its self-test",
                                {{"layer", std::string(layer)}, {"suppressed", *suppressed}});
  }
}

// ---- Incidents

IncidentMetrics::IncidentMetrics(Metrics& metrics, const std::vector<std::string>& layers,
                                 const std::vector<std::string>& witnesses,
                                 const stock::drift::IncidentBoard& board,
                                 const stock::clock::DatabaseClock& database_clock,
                                 const stock::clock::LocalClock& clock)
    : board_(board), log_failures_(clock, std::chrono::seconds(10)) {
  for (const std::string& layer : layers) {
    add(metrics, layer, stock::drift::kLayerVerdicts, board, database_clock, clock);
  }
  for (const std::string& witness : witnesses) {
    add(metrics, witness, stock::drift::kVerdicts, board, database_clock, clock);
  }
}

void IncidentMetrics::add(Metrics& metrics, const std::string& layer, std::size_t verdicts,
                          const stock::drift::IncidentBoard& board,
                          const stock::clock::DatabaseClock& database_clock,
                          const stock::clock::LocalClock& clock) {
  using stock::drift::Verdict;
  for (std::size_t i = 0; i < verdicts; ++i) {
    const auto verdict = static_cast<Verdict>(i);
    if (!stock::drift::diverges(verdict)) continue;
    const Labels labels = {{"layer", layer},
                           {"verdict", std::string(stock::drift::verdict_name(verdict))}};
    opened_[{layer, verdict}] = &metrics.counter("stock_incidents_opened_total",
                                                 "Incidents that this process opened.", labels);
    closed_[{layer, verdict}] = &metrics.counter("stock_incidents_closed_total",
                                                 "Incidents that this process closed.", labels);
    metrics.gauge_callback(
        "stock_incidents_open", "Incidents that are open; the same of every process.", labels,
        [&board, layer, verdict] {
          return std::ranges::count_if(board.open(), [&](const auto& open) {
            return open->layer == layer && open->finding.judgement.verdict == verdict;
          });
        });
  }
  metrics.gauge_callback("stock_incident_oldest_open_seconds",
                         "For how long the oldest incident that is open has been so; 0: none is.",
                         {{"layer", layer}}, [&board, &database_clock, &clock, layer] {
                           for (const auto& open : board.open()) {
                             if (open->layer != layer) continue;
                             const auto age = database_clock.age(open->opened_at, clock.now());
                             return age ? seconds(age->age) : 0.0;
                           }
                           return 0.0;
                         });
}

void IncidentMetrics::opened(const stock::drift::Incident& incident) {
  count(opened_, incident);
  stock::telemetry::log_warn(
      "an incident was opened",
      {{"incident", incident.id},
       {"layer", incident.layer},
       {"verdict", stock::drift::verdict_name(incident.finding.judgement.verdict)},
       {"sku", incident.key.sku},
       {"location", incident.key.location},
       {"words", stock::drift::words(incident.finding, nullptr)}});
}

void IncidentMetrics::closed(const stock::drift::Incident& incident) {
  count(closed_, incident);
  stock::telemetry::log_info("an incident was closed", {{"incident", incident.id},
                                                        {"layer", incident.layer},
                                                        {"keys", incident.keys},
                                                        {"merged_into", incident.merged_into}});
}

void IncidentMetrics::failed(const absl::Status& why) {
  if (const auto suppressed = log_failures_.admit()) {
    stock::telemetry::log_warn(
        "incidents cannot be read or written; what is found waits",
        {{"error", std::string(why.message())}, {"suppressed", *suppressed}});
  }
}

void IncidentMetrics::tally(stock::drift::LayerTally& out) const {
  const stock::drift::IncidentQuery told{.layer = out.layer, .verdict = {}, .sku = {}};
  out.incidents_open =
      std::ranges::count_if(board_.open(), [&](const auto& open) { return matches(*open, told); });
  for (const auto& [of, counter] : opened_) {
    if (of.first == out.layer) out.incidents_opened += counter->value();
  }
}

// Layers that only other processes use are theirs to count.
void IncidentMetrics::count(const Counters& counters, const stock::drift::Incident& incident) {
  const auto it = counters.find({incident.layer, incident.finding.judgement.verdict});
  if (it != counters.end()) it->second->add();
}

RepairMetrics::RepairMetrics(Metrics& metrics, const std::vector<std::string>& layers) {
  for (const std::string& name : layers) {
    Layer& layer = layers_.emplace_back();
    layer.name = name;
    for (std::size_t i = 0; i < layer.keys.size(); ++i) {
      const auto outcome = static_cast<stock::drift::RepairOutcome>(i);
      layer.keys[i] = &metrics.counter(
          "stock_repairs_total", "Copies that were to be repaired, by what became of them.",
          {{"layer", name}, {"outcome", std::string(stock::drift::outcome_name(outcome))}});
    }
  }
}

void RepairMetrics::repaired(std::size_t layer, std::span<const stock::domain::Key> keys,
                             stock::drift::RepairOutcome outcome, const std::string& actor,
                             const std::string& reason) {
  layers_[layer].keys[static_cast<std::size_t>(outcome)]->add(
      static_cast<std::int64_t>(keys.size()));
  stock::telemetry::log_info("copies were repaired",
                             {{"layer", layers_[layer].name},
                              {"outcome", stock::drift::outcome_name(outcome)},
                              {"keys", static_cast<std::int64_t>(keys.size())},
                              {"first_sku", keys.front().sku},
                              {"first_location", keys.front().location},
                              {"actor", actor},
                              {"reason", reason}});
}

}  // namespace stockd
