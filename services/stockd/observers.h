// Counts what the rooms tell: each port of theirs becomes metrics here, so that no room knows how
// it is measured. All are made before the rooms that they observe and outlive them.
#pragma once

#include <array>
#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "stock/clock/local_clock.h"
#include "stock/drift/observer.h"
#include "stock/feed/tail.h"
#include "stock/layers/read_path.h"
#include "stock/ledger/observer.h"
#include "stock/rpc/call_observer.h"
#include "stock/telemetry/log.h"
#include "stock/telemetry/metrics.h"

namespace stockd {

class ReadMetrics final : public stock::layers::ReadObserver {
 public:
  ReadMetrics(stock::telemetry::Metrics& metrics, const std::vector<std::string>& layers);
  void visited(std::size_t stage, const stock::domain::Visit& visit) override;
  void answered(std::size_t stage, std::chrono::microseconds age) override;
  void judged(std::size_t stage, stock::layers::Judgement judgement) override;

 private:
  struct Layer {
    std::array<stock::telemetry::Counter*, stock::layers::kJudgements> copies{};
    std::array<stock::telemetry::Counter*, stock::domain::kOutcomes> reads{};
    stock::telemetry::Histogram* seconds = nullptr;
    stock::telemetry::Counter* responses = nullptr;
    stock::telemetry::Histogram* age = nullptr;
  };
  std::vector<Layer> layers_;
};

class WriteMetrics final : public stock::ledger::Observer {
 public:
  explicit WriteMetrics(stock::telemetry::Metrics& metrics);
  void batch_committed(std::size_t requests, std::size_t movements,
                       std::chrono::nanoseconds duration) override;
  void refused(stock::ledger::Reason reason) override;
  void retried(stock::ledger::Retry retry) override;

 private:
  stock::telemetry::Histogram& requests_;
  stock::telemetry::Histogram& seconds_;
  stock::telemetry::Counter& movements_;
  std::array<stock::telemetry::Counter*, stock::ledger::kReasons> refusals_{};
  std::array<stock::telemetry::Counter*, stock::ledger::kRetries> retries_{};
};

class DriftMetrics final : public stock::drift::Observer {
 public:
  DriftMetrics(stock::telemetry::Metrics& metrics, const std::vector<std::string>& layers,
               const stock::clock::LocalClock& clock);
  void examined(std::size_t layer, stock::drift::Verdict verdict) override;
  void pass_finished(std::size_t keys, std::span<const stock::drift::LayerSummary> layers) override;
  void pass_failed(const absl::Status& why) override;

 private:
  struct Layer {
    std::array<stock::telemetry::Counter*, stock::drift::kVerdicts> checks{};
    stock::telemetry::Gauge* keys = nullptr;
    stock::telemetry::Gauge* units = nullptr;
    stock::telemetry::Gauge* versions = nullptr;
    stock::telemetry::Gauge* seconds = nullptr;
  };
  std::vector<Layer> layers_;
  stock::telemetry::Counter& passes_ok_;
  stock::telemetry::Counter& passes_failed_;
  stock::telemetry::Counter& keys_;
  stock::telemetry::LogEvery log_failures_;
};

class FeedMetrics final : public stock::feed::TailObserver {
 public:
  FeedMetrics(stock::telemetry::Metrics& metrics, const stock::clock::LocalClock& clock);
  void polled(Outcome outcome, const absl::Status& status) override;
  void applied(std::chrono::nanoseconds lag) override;

 private:
  std::array<stock::telemetry::Counter*, kOutcomes> polls_{};
  stock::telemetry::Counter& moves_;
  stock::telemetry::Histogram& lag_;
  stock::telemetry::LogEvery log_failures_;
};

// The names that go-grpc-middleware made standard, and a log line for what went wrong on our side.
class CallMetrics final : public stock::rpc::CallObserver {
 public:
  CallMetrics(stock::telemetry::Metrics& metrics, const stock::clock::LocalClock& clock)
      : metrics_(metrics), log_failures_(clock, std::chrono::milliseconds(100)) {}
  std::size_t method(std::string_view service, std::string_view name, bool streaming) override;
  void started(std::size_t method) override;
  void sent(std::size_t method) override { methods_[method].sent->add(); }
  void handled(std::size_t number, const stock::rpc::HandledCall& call) override;

 private:
  static constexpr std::size_t kCodes = 17;
  struct Method {
    std::string service;
    std::string name;
    bool streaming = false;
    stock::telemetry::Counter* started = nullptr;
    stock::telemetry::Counter* received = nullptr;
    stock::telemetry::Counter* sent = nullptr;
    std::array<stock::telemetry::Counter*, kCodes> handled{};
    stock::telemetry::Histogram* seconds = nullptr;
  };
  stock::telemetry::Metrics& metrics_;
  std::vector<Method> methods_;
  stock::telemetry::LogEvery log_failures_;
};

}  // namespace stockd
