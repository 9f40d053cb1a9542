// How consistent a witness is with the ledger, in nines: for a layer of the service counted by the
// auditor's examinations, for one outside by its testimonies. Thread-safe.
#pragma once

#include <array>
#include <chrono>
#include <string>

#include "stock/drift/price.h"
#include "stock/drift/verdict.h"
#include "stock/telemetry/metrics.h"

namespace stockd {

class Consistency {
 public:
  struct Window {
    const char* name;
    std::chrono::seconds length;
  };
  static constexpr std::array<Window, 5> kWindows = {{{"0s", std::chrono::seconds(0)},
                                                      {"1s", std::chrono::seconds(1)},
                                                      {"10s", std::chrono::seconds(10)},
                                                      {"1m", std::chrono::minutes(1)},
                                                      {"5m", std::chrono::minutes(5)}}};

  Consistency(stock::telemetry::Metrics& metrics, const std::string& layer);
  void count(const stock::drift::Judgement& judgement);
  // Adds what was counted.
  void tally(stock::drift::LayerTally& out) const;

 private:
  stock::telemetry::Counter& examined_;
  std::array<stock::telemetry::Counter*, kWindows.size()> met_{};
};

}  // namespace stockd
