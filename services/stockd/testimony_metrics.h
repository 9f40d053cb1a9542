// Counts what witnesses outside the service were judged to say, and what of it was not judged.
// Thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "stock/drift/testimony_desk.h"
#include "stock/rpc/drift_handlers.h"
#include "stock/telemetry/metrics.h"
#include "stockd/consistency.h"

namespace stockd {

class TestimonyMetrics final : public stock::drift::TestimonyListener {
 public:
  TestimonyMetrics(stock::telemetry::Metrics& metrics, const std::vector<std::string>& witnesses);
  void judged(const stock::drift::Told& told, const stock::drift::Judged& judged) override;
  void refused(stock::rpc::TestimonyRefusal why, std::int64_t testimonies);

 private:
  struct Witness {
    Consistency consistency;
    std::array<stock::telemetry::Counter*, stock::drift::kVerdicts> verdicts{};
  };
  std::map<std::string, Witness> witnesses_;
  std::array<stock::telemetry::Counter*, 3> refused_{};
};

}  // namespace stockd
