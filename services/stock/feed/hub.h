// Who watches what: tells many subscribers of the ledger's moves, at the cost of one feed.
//
// A listener of the tail. It keeps, for each subscriber, what has changed and was not taken yet:
// every change up to `queue`, then only the newest one of each key, and how many were left out
// before it. A subscriber for whom even that is more than `most` has lost what it had, and begins
// anew, as it does when the ledger is in another incarnation. Changes are shared by all of their
// subscribers. What a poll of the tail delivers becomes visible at once, together with the
// watermark that covers it.
//
// Where to begin. A subscriber is given every move that its beginning does not show, where its
// beginning is a snapshot that had been taken when it subscribed (the moves of a poll that is under
// way may have been passed over already; then it is that poll's). So:
//   - what the primary answers to a statement that is sent after subscribing shows all that is not
//     given;
//   - and so does whatever else is known to be true through the stamp of a poll that was sent after
//     the beginning was taken: that of ready().
// What was read may also show moves that are given later: the subscriber leaves those out, by their
// version, or by their transaction where it knows the snapshot of what it read.
//
// Thread-safe: one mutex, held for as long as it takes to file a poll's changes under their
// subscribers, or to take some out. Nobody is called under it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "stock/feed/tail.h"
#include "stock/feed/watermark.h"

namespace stock::feed {

// A move, as its subscribers share it.
struct Change {
  Move move;
  // Known to have been the truth through here: the stamp of the poll that brought it; or its own
  // commit, when the same poll brought its successor.
  domain::DatabaseTime true_through;
};

// What a subscriber wants to be told.
struct Interest {
  std::vector<domain::Key> keys;  // distinct
  std::string location;           // all keys there; empty: none
  bool everything = false;
  // Only that something has moved, not what.
  bool signal_only = false;
};

class Hub final : public Listener {
 public:
  struct Options {
    std::size_t queue = 256;      // changes per subscriber before they are conflated
    std::size_t most = 10'000;    // changes per subscriber, of as many keys
    std::size_t round = 250'000;  // changes of one poll; subscribers of a greater one begin anew
  };
  struct Stats {
    std::size_t subscribers = 0;
    std::uint64_t changes = 0;    // filed under a subscriber, since the start
    std::uint64_t conflated = 0;  // left out because a newer one of the key came
  };

  // Called on the tail's thread, which must not be blocked, when there is something to take; once
  // until take() has been called.
  using Wake = std::function<void()>;

  class Subscriber;
  // Ends the subscription when it goes. The hub outlives it.
  using Subscription = std::unique_ptr<Subscriber, std::function<void(Subscriber*)>>;

  // How far the feed has come, and what that shows.
  struct Position {
    Watermark watermark;
    std::shared_ptr<const domain::Snapshot> snapshot;
  };

  struct Pending {
    std::shared_ptr<const Change> change;
    std::size_t key = 0;        // its number in Interest::keys; 0 for those of a location
    std::int64_t left_out = 0;  // versions of the key, before this one
  };

  struct Taken {
    // What was given is void: begin anew, with another subscription.
    bool lost = false;
    // The subscription has begun, and the position is of a poll sent after its beginning was taken.
    bool ready = false;
    // All that the position shows has been taken.
    bool drained = false;
    bool signalled = false;  // something has moved since the last time
    absl::Status stall;      // why the feed stands still, where it says so
    Position position;       // the same for all; empty while the feed has not begun
    std::vector<Pending> changes;
  };

  explicit Hub(const Options& options);
  Hub();
  ~Hub() override;

  [[nodiscard]] Subscription subscribe(Interest interest, Wake wake);

  // Up to `limit` of what is pending, oldest first; each key's in order of version.
  [[nodiscard]] Taken take(Subscriber& subscriber, std::size_t limit);
  // One call of its wake at the next watermark, also when nothing moves.
  void wake_at_next_watermark(Subscriber& subscriber);

  [[nodiscard]] Stats stats() const;

  // Of the tail.
  void began() override;
  void moved(std::span<const Move> moves) override;
  void advanced(const Watermark& watermark,
                const std::shared_ptr<const domain::Snapshot>& snapshot) override;
  void stalled(const absl::Status& why) override;

 private:
  struct Member {
    Subscriber* subscriber = nullptr;
    std::size_t key = 0;
  };
  using Members = std::vector<Member>;
  using Wakes = std::vector<std::shared_ptr<Wake>>;

  void unsubscribe(Subscriber* subscriber);
  // All with the mutex held.
  [[nodiscard]] bool is_wanted(const Move& move) const;
  void lose(Subscriber& subscriber, Wakes& wakes);
  void file(const Members& members, const std::shared_ptr<const Change>& change, Wakes& wakes);
  void add(Subscriber& subscriber, std::size_t key, const std::shared_ptr<const Change>& change);
  void conflate(Subscriber& subscriber);
  static void wake(Subscriber& subscriber, Wakes& wakes);

  const Options options_;
  mutable std::mutex mutex_;
  absl::flat_hash_map<domain::Key, Members> by_key_;
  absl::flat_hash_map<std::string, Members> by_location_;
  Members of_everything_;
  absl::flat_hash_map<Subscriber*, std::unique_ptr<Subscriber>> subscribers_;
  std::vector<Subscriber*> waiting_;  // for the next watermark
  Position position_;
  absl::Status stall_;
  std::uint64_t advances_ = 0;
  // Of the poll under way: what it has delivered that somebody wants, and the last version of each
  // key, since what a failed poll delivered comes again.
  bool under_way_ = false;
  bool overflowed_ = false;
  std::vector<Move> round_;
  absl::flat_hash_map<domain::Key, std::size_t> newest_;  // in round_
  std::uint64_t changes_ = 0;
  std::uint64_t conflated_ = 0;
};

}  // namespace stock::feed
