// Several batchers side by side, so that writes of different keys do not wait for each other's
// commits.
//
// Each key has its lane. A request whose keys all have the same goes there, so that writes of one
// hot key wait for nothing but their turn; one with keys of several lanes goes to the first, so
// that orders of many lines, which overlap on most keys, wait for each other in a queue and not on
// locks. The chunks of an import, which do not overlap, go anywhere, so that they are written side
// by side. A reservation that is only named goes where it was made, as far as that is remembered.
// None of this is more than a guess at what does not collide: what makes a write atomic are the
// locks of its levels.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "stock/ledger/batcher.h"

namespace stock::ledger {

// Thread-safe. What it is given outlives it.
class Lanes {
 public:
  // One lane per store. Of the options, max_queue is for all lanes together.
  Lanes(const Batcher::Options& options, const std::vector<std::reference_wrapper<Store>>& stores,
        const clock::LocalClock& clock, Observer& observer, Announcer* announcer = nullptr);

  // As of the lane's Batcher.
  void submit(Request request, domain::LocalTime deadline, Batcher::Done done);
  void stop(domain::LocalTime deadline);
  // Requests accepted and not yet taken into a batch.
  [[nodiscard]] std::size_t queue_length() const;
  // As many may wait at present.
  [[nodiscard]] std::size_t queue_limit() const;

 private:
  // Where a request goes.
  std::size_t lane_of(const Request& request);

  std::vector<std::unique_ptr<Batcher>> lanes_;
  // By a hash of its id, the lane in which a reservation was made; others may have overwritten it.
  std::vector<std::atomic<std::uint8_t>> made_in_;
};

}  // namespace stock::ledger
