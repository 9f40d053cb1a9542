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
#include "stock/drift/price.h"
#include "stock/drift/read_sample.h"
#include "stock/feed/tail.h"
#include "stock/layers/read_path.h"
#include "stock/ledger/observer.h"
#include "stock/rpc/call_observer.h"
#include "stock/telemetry/log.h"
#include "stock/telemetry/metrics.h"

namespace stockd {

class ReadMetrics final : public stock::layers::ReadObserver {
 public:
  // The sample takes of the keys that are read.
  ReadMetrics(stock::telemetry::Metrics& metrics, const std::vector<std::string>& layers,
              stock::drift::ReadSample& sample);
  void asked(std::span<const stock::domain::Key> keys) override { sample_.note(keys); }
  void visited(std::size_t stage, const stock::domain::Visit& visit) override;
  void answered(std::size_t stage, std::chrono::microseconds age, std::int64_t levels) override;
  void judged(std::size_t stage, stock::layers::Judgement judgement, std::int64_t copies) override;

  // Adds what was counted of a stage.
  void tally(std::size_t stage, stock::drift::LayerTally& out) const;

 private:
  struct Layer {
    std::array<stock::telemetry::Counter*, stock::layers::kJudgements> copies{};
    std::array<stock::telemetry::Counter*, stock::domain::kOutcomes> reads{};
    stock::telemetry::Histogram* seconds = nullptr;
    stock::telemetry::Counter* responses = nullptr;
    stock::telemetry::Histogram* age = nullptr;
  };
  stock::drift::ReadSample& sample_;
  std::vector<Layer> layers_;
};

class WriteMetrics final : public stock::ledger::Observer {
 public:
  explicit WriteMetrics(stock::telemetry::Metrics& metrics);
  void waited(std::chrono::nanoseconds duration) override;
  void batch_decided(const stock::ledger::Plan& plan, std::chrono::nanoseconds duration) override;
  void refused(stock::ledger::Reason reason) override;
  void retried(stock::ledger::Retry retry) override;

 private:
  stock::telemetry::Histogram& requests_;
  stock::telemetry::Histogram& seconds_;
  stock::telemetry::Histogram& wait_;
  std::array<stock::telemetry::Counter*, stock::domain::kMovementKinds> movements_{};
  std::array<stock::telemetry::Counter*, stock::domain::kReservationStates> reservations_{};
  std::array<stock::telemetry::Counter*, stock::ledger::kReasons> refusals_{};
  std::array<stock::telemetry::Counter*, stock::ledger::kRetries> retries_{};
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
