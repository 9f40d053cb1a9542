// What a feed's tail asks: the delta between two snapshots of the primary (feed/tail.h).
//
// One statement per poll, alone in its transaction, that tells its own snapshot: the next one asks
// for what became visible since. No gap, no duplicate, no late committer lost, whatever
// transactions stay open: a cursor over numbers would lose those that commit out of order, or stall
// on the oldest. A delta of more than some thousand moves is read with a cursor, in one
// transaction, a piece at a time. One that is too great to be sorted by the server while everybody
// waits is not read at all: the tail begins anew, from a heartbeat that is young enough.
#pragma once

#include <chrono>
#include <cstddef>

#include "stock/feed/tail.h"
#include "stock/postgres/asker.h"
#include "stock/postgres/session.h"

namespace stock::postgres {

class FeedSource final : public feed::Source {
 public:
  struct Options {
    SessionOptions session;               // to the primary
    std::chrono::seconds look_back{600};  // how old a heartbeat a tail begins from
    std::size_t piece = 4096;             // moves delivered at a time
    std::size_t most = 50'000;            // moves of a delta that is read
  };

  FeedSource(Options options, Knowledge knowledge, clock::Timers& timers);

  absl::StatusOr<feed::Beginning> begin() override;
  absl::StatusOr<feed::Poll> poll(domain::Incarnation incarnation, const domain::Snapshot& since,
                                  Deliver deliver) override;

  // From any thread: ends what is under way, for good.
  void stop() { session_.stop(); }

 private:
  // Of a history in which transaction ids have gone back, which is none: whoever leads begins
  // another one.
  absl::Status end(domain::Incarnation incarnation);
  // Whether no more than `most` lies between two snapshots. What cannot be counted in time is more.
  absl::StatusOr<bool> is_readable(const domain::Snapshot& since, const domain::Snapshot& through);
  // False: there are more, and nothing was delivered.
  absl::StatusOr<bool> poll_at_once(domain::Incarnation incarnation, const domain::Snapshot& since,
                                    Deliver deliver, feed::Poll& poll);
  absl::Status poll_by_cursor(domain::Incarnation incarnation, const std::string& since,
                              Deliver deliver, feed::Poll& poll);

  const Options options_;
  const Knowledge knowledge_;
  const Asker asker_;
  Session session_;
};

}  // namespace stock::postgres
