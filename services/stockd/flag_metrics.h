// What is counted of feature flags (observers.h).
#pragma once

#include <array>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "stock/clock/local_clock.h"
#include "stock/domain/flags.h"
#include "stock/layers/flag_forks.h"
#include "stock/layers/flag_reader.h"
#include "stock/telemetry/log.h"
#include "stock/telemetry/metrics.h"

namespace stockd {

class FlagMetrics final : public stock::layers::FlagObserver {
 public:
  FlagMetrics(stock::telemetry::Metrics& metrics, std::vector<stock::domain::Flag> flags,
              const stock::clock::LocalClock& clock);
  // What is asked at each scrape. Both outlive the scrapes.
  void watch(const stock::layers::FlagReader& reader, const stock::layers::FlagForks& forks);

  void looked_up(const std::array<std::int64_t, kLookups>& outcomes) override;
  void answered(std::span<const stock::layers::FlagAnswer> answers) override;
  void failed(const absl::Status& why, bool down) override;
  void stream_closed(const absl::Status& why) override;
  void recovered() override;

 private:
  // By what an answer went.
  using Reasons = std::map<std::string_view, stock::telemetry::Counter*>;
  enum Failure : std::uint8_t { kTimeout, kUnavailable, kOther, kStream };

  static std::string_view reason_of(const stock::domain::Flag& flag,
                                    const stock::layers::FlagAnswer& answer, std::size_t number);

  stock::telemetry::Metrics& metrics_;
  const std::vector<stock::domain::Flag> flags_;
  const stock::clock::LocalClock& clock_;
  std::vector<Reasons> evaluations_;  // by flag
  std::array<stock::telemetry::Counter*, kLookups> lookups_{};
  std::array<stock::telemetry::Counter*, 4> failures_{};
  stock::telemetry::LogEvery log_failures_;
};

}  // namespace stockd
