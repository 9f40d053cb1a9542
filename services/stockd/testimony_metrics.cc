#include "stockd/testimony_metrics.h"

#include "stock/drift/words.h"

namespace stockd {

using stock::telemetry::Metrics;

TestimonyMetrics::TestimonyMetrics(Metrics& metrics, const std::vector<std::string>& witnesses) {
  using stock::drift::Verdict;
  for (const std::string& name : witnesses) {
    Witness& witness =
        witnesses_.try_emplace(name, Witness{Consistency(metrics, name)}).first->second;
    for (std::size_t i = 0; i < witness.verdicts.size(); ++i) {
      const auto verdict = static_cast<Verdict>(i);
      witness.verdicts[i] = &metrics.counter(
          "stock_testimonies_total", "Testimonies of layers outside the service, by verdict.",
          {{"layer", name}, {"verdict", std::string(stock::drift::verdict_name(verdict))}});
    }
  }
  constexpr std::array<const char*, 3> kWhy = {"malformed", "busy", "unjudged"};
  for (std::size_t i = 0; i < kWhy.size(); ++i) {
    refused_[i] = &metrics.counter("stock_testimonies_refused_total",
                                   "Testimonies that were not judged, by reason: malformed, busy "
                                   "(too many waited), or unjudged (the ledger did not answer).",
                                   {{"reason", kWhy[i]}});
  }
}

// What came late is no examination of what its witness says now.
void TestimonyMetrics::judged(const stock::drift::Told& told, const stock::drift::Judged& judged) {
  const auto it = witnesses_.find(told.testimony.witness);
  if (it == witnesses_.end()) return;
  const stock::drift::Judgement& judgement = judged.finding.judgement;
  it->second.verdicts[static_cast<std::size_t>(judgement.verdict)]->add();
  if (!told.dates.late()) it->second.consistency.count(judgement);
}

void TestimonyMetrics::refused(stock::rpc::TestimonyRefusal why, std::int64_t testimonies) {
  refused_[static_cast<std::size_t>(why)]->add(testimonies);
}

}  // namespace stockd
