// Counts what the auditor, its self-test, the incident keeper and the repairer tell, as observers.h
// does for the other rooms.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "stock/clock/database_clock.h"
#include "stock/clock/local_clock.h"
#include "stock/drift/audit_health.h"
#include "stock/drift/incident_board.h"
#include "stock/drift/incident_keeper.h"
#include "stock/drift/observer.h"
#include "stock/drift/price.h"
#include "stock/drift/repairer.h"
#include "stock/drift/self_test.h"
#include "stock/telemetry/log.h"
#include "stock/telemetry/metrics.h"
#include "stockd/consistency.h"

namespace stockd {

class DriftMetrics final : public stock::drift::Observer {
 public:
  // The auditor complains of itself when a pass takes longer than `late_after`, its pause included.
  DriftMetrics(stock::telemetry::Metrics& metrics, const std::vector<std::string>& layers,
               std::chrono::nanoseconds late_after, const stock::clock::LocalClock& clock);
  void examined(std::size_t layer, const stock::drift::Judgement& judgement) override;
  void detected(std::chrono::nanoseconds after) override { detection_.observe(after); }
  void looked(stock::drift::Cause cause, std::size_t keys) override;
  void dropped(stock::drift::Cause cause, std::size_t keys) override;
  void pass_finished(std::span<const stock::drift::LayerSummary> layers,
                     const stock::drift::Pass& pass) override;
  void round_finished(std::chrono::nanoseconds duration) override;
  void pass_failed(const absl::Status& why) override;

  [[nodiscard]] const stock::drift::AuditHealth& health() const { return health_; }
  // Adds what was counted of a layer.
  void tally(std::size_t layer, stock::drift::LayerTally& out) const;

 private:
  struct Layer {
    explicit Layer(Consistency of) : consistency(of) {}
    std::array<stock::telemetry::Counter*, stock::drift::kLayerVerdicts> checks{};
    Consistency consistency;
    stock::telemetry::Gauge* keys = nullptr;
    stock::telemetry::Gauge* units = nullptr;
    stock::telemetry::Gauge* versions = nullptr;
    stock::telemetry::Gauge* seconds = nullptr;
  };
  std::vector<Layer> layers_;
  stock::drift::AuditHealth health_;
  stock::telemetry::Counter& passes_ok_;
  stock::telemetry::Counter& passes_failed_;
  std::array<stock::telemetry::Counter*, stock::drift::kCauses> keys_{};
  std::array<stock::telemetry::Counter*, stock::drift::kCauses> dropped_{};
  stock::telemetry::Counter& rounds_;
  stock::telemetry::Gauge& round_seconds_;
  stock::telemetry::Gauge& last_pass_;
  stock::telemetry::Gauge& last_round_;
  stock::telemetry::Gauge& coverage_;
  stock::telemetry::Histogram& detection_;
  std::atomic<std::int64_t> busy_ns_{0};
  std::atomic<std::int64_t> busy_idle_ns_{0};
  std::vector<std::atomic<double>> unit_seconds_;  // by layer
  stock::telemetry::LogEvery log_failures_;
};

class SelfTestMetrics final : public stock::drift::SelfTestObserver {
 public:
  // `layers`: the real ones in which it plants lies.
  SelfTestMetrics(stock::telemetry::Metrics& metrics, std::vector<std::string> layers,
                  const stock::clock::LocalClock& clock);
  void lie_found(std::string_view layer, std::chrono::nanoseconds after) override;
  void lie_missed(std::string_view layer, std::string_view lie) override;
  void falsely_accused(std::string_view layer) override;

 private:
  struct Counters {
    stock::telemetry::Counter* found;
    stock::telemetry::Counter* missed;
    stock::telemetry::Counter* accusations;
  };
  std::map<std::string, Counters, std::less<>> counters_;  // by layer
  stock::telemetry::Histogram& detection_;
  stock::telemetry::LogEvery log_failures_;
};

class IncidentMetrics final : public stock::drift::IncidentObserver {
 public:
  // What is open is asked of the board at each scrape.
  // `witnesses`: outside, which can earn more verdicts than the layers.
  IncidentMetrics(stock::telemetry::Metrics& metrics, const std::vector<std::string>& layers,
                  const std::vector<std::string>& witnesses,
                  const stock::drift::IncidentBoard& board,
                  const stock::clock::DatabaseClock& database_clock,
                  const stock::clock::LocalClock& clock);
  void opened(const stock::drift::Incident& incident) override;
  void closed(const stock::drift::Incident& incident) override;
  void failed(const absl::Status& why) override;

  // Adds what is known of a layer.
  void tally(stock::drift::LayerTally& out) const;

 private:
  // By layer and verdict.
  using Counters =
      std::map<std::pair<std::string, stock::drift::Verdict>, stock::telemetry::Counter*>;
  static void count(const Counters& counters, const stock::drift::Incident& incident);
  void add(stock::telemetry::Metrics& metrics, const std::string& layer, std::size_t verdicts,
           const stock::drift::IncidentBoard& board,
           const stock::clock::DatabaseClock& database_clock,
           const stock::clock::LocalClock& clock);

  const stock::drift::IncidentBoard& board_;
  Counters opened_;
  Counters closed_;
  stock::telemetry::LogEvery log_failures_;
};

class RepairMetrics final : public stock::drift::RepairObserver {
 public:
  // In the repairer's order.
  RepairMetrics(stock::telemetry::Metrics& metrics, const std::vector<std::string>& layers);
  void repaired(std::size_t layer, std::span<const stock::domain::Key> keys,
                stock::drift::RepairOutcome outcome, const std::string& actor,
                const std::string& reason) override;

 private:
  struct Layer {
    std::string name;
    std::array<stock::telemetry::Counter*, stock::drift::kRepairOutcomes> keys{};
  };
  std::vector<Layer> layers_;
};

}  // namespace stockd
