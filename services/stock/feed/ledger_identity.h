// Which history of the ledger this process currently believes in. Copies of another incarnation are
// void: the same versions may mean something else there.
#pragma once

#include <atomic>

#include "stock/domain/reading.h"

namespace stock::feed {

// Thread-safe. Written by whoever talks to the primary, read by everyone who judges a copy.
class LedgerIdentity {
 public:
  // 0 until a database has said so.
  [[nodiscard]] domain::Incarnation current() const {
    return incarnation_.load(std::memory_order_acquire);
  }
  // The primary said so. Returns true when this ends another incarnation.
  bool primary_says(domain::Incarnation incarnation) {
    const domain::Incarnation before =
        incarnation_.exchange(incarnation, std::memory_order_acq_rel);
    return before != 0 && before != incarnation;
  }
  // A standby said so: good enough as long as no primary has spoken.
  void standby_says(domain::Incarnation incarnation) {
    domain::Incarnation unknown = 0;
    incarnation_.compare_exchange_strong(unknown, incarnation, std::memory_order_acq_rel);
  }

 private:
  std::atomic<domain::Incarnation> incarnation_{0};
};

}  // namespace stock::feed
