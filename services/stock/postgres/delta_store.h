// What became visible in the ledger since a snapshot (feed/delta.h). On the pool of the primary, a
// statement or a few at a time; nothing is held between two pages.
#pragma once

#include <cstddef>

#include "stock/clock/timers.h"
#include "stock/feed/delta.h"
#include "stock/postgres/asker.h"
#include "stock/postgres/pool.h"

namespace stock::postgres {

// What it is given outlives it; the pool is the primary's.
class DeltaStore final : public feed::DeltaSource {
 public:
  struct Options {
    // Movements of a delta that are read and sorted anew for each page. A greater one is read by
    // key instead, along the whole ledger.
    std::size_t small = 50'000;
    // Rows of the ledger that a page looks at then.
    std::size_t stride = 20'000;
    // Of a great delta, which heartbeat (of one per 100 ms) it is to end with.
    std::size_t heartbeats = 50;
  };

  DeltaStore(const Options& options, Pool& pool, clock::Timers& timers, Knowledge knowledge)
      : options_(options), asker_(Role::kPrimary, knowledge), pool_(pool), timers_(timers) {}
  DeltaStore(Pool& pool, clock::Timers& timers, Knowledge knowledge)
      : DeltaStore(Options{}, pool, timers, knowledge) {}

  void levels(feed::LevelDeltaQuery query, domain::LocalTime deadline,
              Done<feed::LevelDelta> done) override;
  void movements(feed::MovementDeltaQuery query, domain::LocalTime deadline,
                 Done<feed::MovementDelta> done) override;
  void common_past(domain::Incarnation incarnation, domain::LocalTime deadline,
                   Done<domain::Xid> done) override;

 private:
  template <typename T, typename Ask>
  void submit(domain::LocalTime deadline, Done<T> done, Ask ask);
  absl::Status plan(Session& session, feed::MovementDeltaQuery& query) const;
  absl::StatusOr<feed::MovementDelta> page(Session& session, feed::MovementDeltaQuery query) const;

  const Options options_;
  const Asker asker_;
  Pool& pool_;
  clock::Timers& timers_;
};

}  // namespace stock::postgres
