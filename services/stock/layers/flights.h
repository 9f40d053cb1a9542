// Batches, coalesces and bounds the reads of a remote layer. What is waiting when a flight is free
// goes with it, a key asked by many only once; there is no timer that a lone read would have to
// wait for. Beside a flight that has just left another one does not leave for a key or two, which
// would cost as much as a full one: these go with the next.
//
// A read never joins a flight that has left: the answer is from a statement sent after the read
// arrived, so that a bound on its age means what it says. Every read is answered by its deadline or
// the layer's timeout, whichever comes first, even if the layer never answers; or it is refused
// (kRefused, at once) while those that wait do so for too long.
//
// Thread-safe; one mutex, never held while the layer or a caller is called. Outlives the reads
// under way.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "stock/admission/adaptive_limit.h"
#include "stock/clock/local_clock.h"
#include "stock/clock/timers.h"
#include "stock/layers/layer.h"

namespace stock::layers {

class Flights final : public Layer {
 public:
  struct Options {
    int max_flights = 4;  // reads of the layer under way at the same time
    int max_batch = 256;  // keys in one of them
    // Beside others a flight leaves with no fewer keys than this for each of them...
    std::size_t company = 32;
    // ...or when none has left for so long: what is under way may take its time then.
    std::chrono::nanoseconds hurry = std::chrono::milliseconds(2);
    std::chrono::nanoseconds timeout = std::chrono::seconds(1);
    // When all keys wait for longer than this, new reads are refused, but for what the next flight
    // has room for.
    std::chrono::nanoseconds target_wait = std::chrono::milliseconds(100);
    std::size_t max_waiting = 1 << 16;  // keys
  };

  Flights(Layer& inner, const clock::LocalClock& clock, clock::Timers& timers, Options options);
  ~Flights() override;

  [[nodiscard]] std::string_view name() const override { return inner_.name(); }
  void read(std::span<const domain::Key> keys, std::span<Answer> answers,
            const ReadContext& context, Done done) override;

  // Keys waiting for a flight, and flights under way.
  [[nodiscard]] int waiting() const;
  [[nodiscard]] int under_way() const;
  // The layer has not answered somebody for longer than it may take.
  [[nodiscard]] bool overdue() const;
  // As many keys may wait at present.
  [[nodiscard]] std::size_t waiting_limit() const;

 private:
  struct Waiter;
  struct Flight;
  struct Passenger {  // one key of one waiter
    std::shared_ptr<Waiter> waiter;
    std::size_t index = 0;
    bool joined = false;  // the key was waiting already
  };
  // A key that waits for a flight, and those who wait for it.
  struct Place {
    domain::Key key;
    std::size_t hash = 0;
    domain::LocalTime since;
    Passenger first;
    std::vector<Passenger> more;
  };
  struct Wanted {  // a key to look for
    const domain::Key& key;
    std::size_t hash;
  };
  // Of places by their keys, each hashed once.
  struct HashOfKey {
    using is_transparent = void;
    std::size_t operator()(const Place* place) const { return place->hash; }
    std::size_t operator()(const Wanted& wanted) const { return wanted.hash; }
  };
  struct SameKey {
    using is_transparent = void;
    bool operator()(const Place* a, const Place* b) const { return a == b; }
    bool operator()(const Place* a, const Wanted& b) const { return a->key == b.key; }
  };
  using Landing = std::vector<std::shared_ptr<Waiter>>;  // to be told, without the mutex
  using Departures = std::multimap<domain::LocalTime, std::shared_ptr<Waiter>>;

  bool enqueue(std::span<const domain::Key> keys, const std::shared_ptr<Waiter>& waiter,
               domain::LocalTime deadline, domain::LocalTime now);
  void launch();
  [[nodiscard]] bool may_leave(domain::LocalTime now) const;
  std::shared_ptr<Flight> board(Landing& landing);
  bool take(Passenger& passenger, Flight& flight, Landing& landing);
  void leave(std::shared_ptr<Flight> flight);
  void landed(Flight& flight, const std::string& detail);
  void settle(const std::shared_ptr<Waiter>& waiter, Landing& landing);
  void arm();
  void expire(domain::LocalTime armed);
  static void tell(Landing& landing);

  Layer& inner_;
  const clock::LocalClock& clock_;
  clock::Timers& timers_;
  const Options options_;

  mutable std::mutex mutex_;
  std::deque<Place> queue_;                                 // oldest first
  absl::flat_hash_set<Place*, HashOfKey, SameKey> queued_;  // all of queue_
  admission::AdaptiveLimit limit_;
  Departures departures_;  // unanswered waiters by the instant at which they give up
  domain::LocalTime armed_ = domain::LocalTime::max();
  clock::Timers::Id timer_ = 0;
  std::vector<domain::LocalTime> left_;  // when each of those under way did, the last one last
};

}  // namespace stock::layers
