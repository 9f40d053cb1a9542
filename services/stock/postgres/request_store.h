// Looks for requests that the ledger may hold: what tokens of an earlier incarnation are judged by.
#pragma once

#include <chrono>

#include "stock/clock/timers.h"
#include "stock/ledger/request_finder.h"
#include "stock/postgres/asker.h"
#include "stock/postgres/pool.h"

namespace stock::postgres {

// What it is given outlives it; the pool is the primary's.
class RequestStore final : public ledger::RequestFinder {
 public:
  // No call waits longer than `timeout`.
  RequestStore(Pool& pool, clock::Timers& timers, Knowledge knowledge,
               std::chrono::nanoseconds timeout)
      : asker_(Role::kPrimary, knowledge),
        pool_(pool),
        timers_(timers),
        local_(knowledge.local),
        timeout_(timeout) {}

  void find(const domain::Uuid& request, domain::LocalTime deadline, Done done) override;

 private:
  const Asker asker_;
  Pool& pool_;
  clock::Timers& timers_;
  const clock::LocalClock& local_;
  const std::chrono::nanoseconds timeout_;
};

}  // namespace stock::postgres
