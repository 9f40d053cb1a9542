// The feed: what has become visible in the ledger, again and again, in order of version per key.
//
// A thread of its own asks the source what has become visible since the snapshot that it asked with
// before, writes it to the view (table, then whoever holds copies, then the watermark), and tells
// the listeners. It asks every `interval` while something moves or somebody reads, and every
// `idle_interval` else; a read that comes while it rests wakes it (see Attention).
//
// When the source cannot be asked the watermark stays, grows old in plain sight, and the next
// answer goes on where the last one ended. When the ledger is in another incarnation everything is
// forgotten, and the tail begins anew, from a heartbeat some minutes old, so that copies of before
// a restart of this process are still judged. So it does when more has moved than can be read while
// everybody waits: then from a younger one.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "stock/clock/database_clock.h"
#include "stock/clock/local_clock.h"
#include "stock/domain/key.h"
#include "stock/domain/reading.h"
#include "stock/domain/snapshot.h"
#include "stock/feed/attention.h"
#include "stock/feed/move.h"
#include "stock/feed/view.h"

namespace stock::feed {

// What one answer of the source has in common.
struct Poll {
  domain::Incarnation incarnation = 0;
  domain::DatabaseTime stamp;
  domain::LocalTime sent;
  domain::LocalTime received;
  domain::HeartbeatNumber heartbeat = 0;
  std::shared_ptr<const domain::Snapshot> snapshot;
};

// Where a tail begins: a heartbeat, and what it saw.
struct Beginning {
  domain::Incarnation incarnation = 0;
  domain::HeartbeatNumber heartbeat = 0;
  domain::Snapshot snapshot;
};

// Whom the tail asks. Implemented in postgres/. Used by the tail's thread alone.
class Source {
 public:
  virtual ~Source() = default;

  // The oldest heartbeat that serves. UNAVAILABLE also while there is none yet.
  virtual absl::StatusOr<Beginning> begin() = 0;

  using Deliver = absl::FunctionRef<void(const Poll&, std::span<const Move>)>;

  // All that is visible now and was not to `since`, delivered a bounded number at a time, each
  // key's versions in order; a failure halfway may have delivered some. When the ledger is not in
  // `incarnation` nothing is delivered, and the answer tells which it is in. OUT_OF_RANGE: it is
  // too much, and nothing was delivered; a beginning that shows more of it is to be asked for.
  virtual absl::StatusOr<Poll> poll(domain::Incarnation incarnation, const domain::Snapshot& since,
                                    Deliver deliver) = 0;
};

// Told what the tail does, on its thread; must be quick.
class Listener {
 public:
  virtual ~Listener() = default;
  // All that was said before is void: another incarnation, or none that is known. What comes until
  // the first advanced() are moves of the last minutes.
  virtual void began() {}
  // Before the watermark that covers them. The same move may come twice.
  virtual void moved(std::span<const Move> moves) = 0;
  // All that `watermark` covers has been told.
  virtual void advanced(const Watermark& watermark,
                        const std::shared_ptr<const domain::Snapshot>& snapshot) {
    (void)watermark;
    (void)snapshot;
  }
  // The source could not be asked; the watermark stays until the next advanced().
  virtual void stalled(const absl::Status& why) { (void)why; }
};

// Counts polls. On the tail's thread.
class TailObserver {
 public:
  enum class Outcome : std::uint8_t { kMoved, kIdle, kFailed, kBegan };
  static constexpr std::size_t kOutcomes = 4;
  virtual ~TailObserver() = default;
  virtual void polled(Outcome outcome, const absl::Status& status) = 0;
  // A move was applied this long after its commit, at most.
  virtual void applied(std::chrono::nanoseconds lag) = 0;
};

class Tail {
 public:
  struct Options {
    std::chrono::nanoseconds interval = std::chrono::milliseconds(25);
    std::chrono::nanoseconds idle_interval = std::chrono::milliseconds(250);
    // Without moves and reads for this long the interval is the idle one.
    std::chrono::nanoseconds idle_after = std::chrono::seconds(2);
  };

  // Everything outlives the tail. `listeners` are told in order, after the view's table has been
  // written.
  Tail(const Options& options, Source& source, View& view, std::vector<Listener*> listeners,
       Attention& attention, const clock::LocalClock& clock,
       const clock::DatabaseClock& database_clock, TailObserver& observer);
  ~Tail();
  Tail(const Tail&) = delete;
  Tail& operator=(const Tail&) = delete;

 private:
  void run();
  absl::Status step();
  absl::Status begin();
  absl::Status poll();
  void deliver(const Poll& poll, std::span<const Move> moves);
  void publish(const Poll& poll);
  [[nodiscard]] std::chrono::nanoseconds pause(domain::LocalTime began);

  const Options options_;
  Source& source_;
  View& view_;
  const std::vector<Listener*> listeners_;
  Attention& attention_;
  const clock::LocalClock& clock_;
  const clock::DatabaseClock& database_clock_;
  TailObserver& observer_;

  // Of the tail's thread. Without a snapshot: to begin.
  std::shared_ptr<const domain::Snapshot> position_;
  domain::Incarnation incarnation_ = 0;
  domain::LocalTime busy_until_{};
  std::size_t moved_ = 0;  // by this poll

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace stock::feed
