// What is exported beside the gauges: made at start, from zero, and written by any thread.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "stock/telemetry/metrics.h"

namespace analytics {

// Of units sold; anything else is `other`.
inline constexpr std::array<std::string_view, 6> kVerdicts = {
    "current", "overcounted", "undercounted", "inconclusive", "unverifiable", "other"};

struct Counters {
  using Counter = stock::telemetry::Counter;

  explicit Counters(stock::telemetry::Metrics& metrics)
      : counted(movement(metrics, "counted")),
        duplicates(movement(metrics, "duplicate")),
        replaced(movement(metrics, "replaced")),
        others(movement(metrics, "no_sale")),
        transactions(metrics.counter("analytics_transactions_total",
                                     "Batches that were counted and committed.")),
        transaction_failures(metrics.counter("analytics_transaction_failures_total",
                                             "Attempts to do so that failed; each is repeated.")),
        reconnects(metrics.counter("analytics_reconnects_total",
                                   "Times that the stream of movements broke off or could not be "
                                   "opened.")),
        new_incarnation(reset(metrics, "incarnation")),
        history_pruned(reset(metrics, "history_pruned")),
        position_moved(reset(metrics, "position_moved")),
        testimony_failures(metrics.counter("analytics_testimony_failures_total",
                                           "Submissions of testimonies that were not judged.")) {
    for (std::size_t i = 0; i < kVerdicts.size(); ++i) {
      testimonies[i] = &metrics.counter("analytics_testimonies_total",
                                        "Claims of units sold, by what the ledger said of them.",
                                        {{"verdict", std::string(kVerdicts[i])}});
    }
  }

  // Movements of the stream, by what they were to the rollups.
  Counter& counted;
  Counter& duplicates;
  Counter& replaced;
  Counter& others;
  Counter& transactions;
  Counter& transaction_failures;
  Counter& reconnects;
  // Why counting went on from elsewhere.
  Counter& new_incarnation;
  Counter& history_pruned;
  Counter& position_moved;
  Counter& testimony_failures;
  std::array<Counter*, kVerdicts.size()> testimonies{};

 private:
  static Counter& movement(stock::telemetry::Metrics& metrics, const char* outcome) {
    return metrics.counter("analytics_movements_total",
                           "Movements consumed, by what they were to the rollups.",
                           {{"outcome", outcome}});
  }
  static Counter& reset(stock::telemetry::Metrics& metrics, const char* reason) {
    return metrics.counter("analytics_resets_total",
                           "Times that the stream did not go on where it had been counted to.",
                           {{"reason", reason}});
  }
};

}  // namespace analytics
