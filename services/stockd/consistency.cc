#include "stockd/consistency.h"

namespace stockd {

using stock::telemetry::Metrics;

Consistency::Consistency(Metrics& metrics, const std::string& layer)
    : examined_(metrics.counter("stock_consistency_examined_total",
                                "Comparisons of a layer with the ledger in which it had said "
                                "something that could be judged.",
                                {{"layer", layer}})) {
  for (std::size_t i = 0; i < kWindows.size(); ++i) {
    met_[i] = &metrics.counter("stock_consistency_met_total",
                               "Those in which what it said was true at some instant of the "
                               "window before it was asked.",
                               {{"layer", layer}, {"window", kWindows[i].name}});
  }
}

void Consistency::count(const stock::drift::Judgement& judgement) {
  if (!stock::drift::found_something(judgement.verdict)) return;
  examined_.add();
  for (std::size_t i = 0; i < kWindows.size(); ++i) {
    if (stock::drift::within(judgement, kWindows[i].length)) met_[i]->add();
  }
}

void Consistency::tally(stock::drift::LayerTally& out) const {
  for (std::size_t i = 0; i < kWindows.size(); ++i) {
    out.consistency.push_back({.window = kWindows[i].length, .met = met_[i]->value()});
  }
}

}  // namespace stockd
