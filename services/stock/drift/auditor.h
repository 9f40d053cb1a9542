// Compares the layers with the ledger, a few keys at a time, for as long as it lives.
//
// Each pass takes the next keys in order of (sku, location), round and round, and those that are
// known to diverge, until they do not any more. A copy whose date is honest diverges as well while
// the ledger has moved on: how far is what is measured here; whether it was served is the read
// path's business.
//
// All work is done on a thread of its own. Everything passed in outlives the auditor.
#pragma once

#include <chrono>
#include <cstddef>
#include <stop_token>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "stock/clock/database_clock.h"
#include "stock/clock/local_clock.h"
#include "stock/domain/key.h"
#include "stock/drift/cross_examination.h"
#include "stock/drift/divergences.h"
#include "stock/drift/history.h"
#include "stock/drift/observer.h"
#include "stock/layers/layer.h"

namespace stock::drift {

class Auditor {
 public:
  struct Options {
    std::chrono::nanoseconds interval = std::chrono::seconds(1);  // from one pass to the next
    int keys_per_pass = 200;                                      // at least 1
    std::chrono::nanoseconds patience = std::chrono::seconds(1);  // with each witness
    std::size_t max_divergent_keys = 1000;                        // followed up, per layer
  };

  Auditor(const Options& options, std::vector<layers::Layer*> witnesses, HistorySource& history,
          const clock::DatabaseClock& database_clock, const clock::LocalClock& clock,
          Observer& observer);
  // Waits for no witness, and at most for one answer of the history. A read that is still under way
  // ends in a buffer of its own.
  ~Auditor();
  Auditor(const Auditor&) = delete;
  Auditor& operator=(const Auditor&) = delete;

 private:
  void run(const std::stop_token& stop);
  absl::Status pass(const std::stop_token& stop);
  // Those that are next, and those that diverge; each once.
  absl::StatusOr<std::vector<domain::Key>> choose_keys();
  void record(const domain::Key& key, std::size_t layer, const Judgement& judgement);

  const Options options_;
  HistorySource& history_;
  Observer& observer_;
  // From here on: the thread's.
  CrossExamination examination_;
  std::vector<Divergences> divergences_;  // by layer
  domain::Key last_;                      // where the round has come to; empty: at the start
  std::jthread thread_;
};

}  // namespace stock::drift
