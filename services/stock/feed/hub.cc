#include "stock/feed/hub.h"

#include <algorithm>
#include <utility>

namespace stock::feed {

namespace {

// Where each key is among the changes that wait, counted from the first change there ever was. The
// keys of a list have numbers, and need not be looked up by their names, which costs more than all
// the rest of filing a change.
class Places {
 public:
  explicit Places(std::size_t numbers) : of_numbers_(numbers, kNowhere) {}

  // The key's place, and whether it has been given it now.
  std::pair<std::uint64_t, bool> find_or_put(std::size_t number, const domain::Key& key,
                                             std::uint64_t place) {
    if (of_numbers_.empty()) {
      const auto [it, fresh] = of_names_.try_emplace(key, place);
      return {it->second, fresh};
    }
    const bool fresh = of_numbers_[number] == kNowhere;
    if (fresh) of_numbers_[number] = place;
    return {of_numbers_[number], fresh};
  }
  void erase(std::size_t number, const domain::Key& key) {
    if (of_numbers_.empty()) {
      of_names_.erase(key);
    } else {
      of_numbers_[number] = kNowhere;
    }
  }
  void clear() {
    of_names_.clear();
    std::ranges::fill(of_numbers_, kNowhere);
  }

 private:
  static constexpr std::uint64_t kNowhere = ~std::uint64_t{0};
  std::vector<std::uint64_t> of_numbers_;
  absl::flat_hash_map<domain::Key, std::uint64_t> of_names_;
};

}  // namespace

// All of it under the hub's mutex.
class Hub::Subscriber {
 public:
  Subscriber(Interest what, Wake how, std::uint64_t ready)
      : interest(std::move(what)),
        wake(std::make_shared<Wake>(std::move(how))),
        ready_at(ready),
        places(interest.location.empty() && !interest.everything ? interest.keys.size() : 0) {}

  const Interest interest;
  const std::shared_ptr<Wake> wake;
  const std::uint64_t ready_at;  // of advances_
  bool lost = false;
  bool signalled = false;
  bool woken = false;    // and has not taken since
  bool waiting = false;  // is in waiting_
  std::deque<Pending> pending;
  bool conflating = false;
  Places places;  // only while conflating
  std::uint64_t taken = 0;
};

Hub::Hub(const Options& options) : options_(options) {}
Hub::Hub() : Hub(Options{}) {}
Hub::~Hub() = default;

Hub::Subscription Hub::subscribe(Interest interest, Wake wake) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t polls = !position_.snapshot || under_way_ ? 2 : 1;
  auto made = std::make_unique<Subscriber>(std::move(interest), std::move(wake), advances_ + polls);
  Subscriber* subscriber = made.get();
  const Interest& wanted = subscriber->interest;
  for (std::size_t i = 0; i < wanted.keys.size(); ++i) {
    by_key_[wanted.keys[i]].push_back({subscriber, i});
  }
  if (!wanted.location.empty()) by_location_[wanted.location].push_back({subscriber, 0});
  if (wanted.everything) of_everything_.push_back({subscriber, 0});
  subscribers_.emplace(subscriber, std::move(made));
  return {subscriber, [this](Subscriber* gone) { unsubscribe(gone); }};
}

void Hub::unsubscribe(Subscriber* subscriber) {
  std::unique_ptr<Subscriber> gone;  // freed without the mutex
  const std::lock_guard lock(mutex_);
  const auto leave = [subscriber](Members& members) {
    const auto is = [subscriber](const Member& member) { return member.subscriber == subscriber; };
    const auto it = std::ranges::find_if(members, is);
    if (it == members.end()) return;
    *it = members.back();
    members.pop_back();
  };
  const auto leave_one_of = [&leave](auto& index, const auto& key) {
    const auto it = index.find(key);
    if (it == index.end()) return;
    leave(it->second);
    if (it->second.empty()) index.erase(it);
  };
  for (const domain::Key& key : subscriber->interest.keys) leave_one_of(by_key_, key);
  if (!subscriber->interest.location.empty()) {
    leave_one_of(by_location_, subscriber->interest.location);
  }
  leave(of_everything_);
  std::erase(waiting_, subscriber);
  const auto it = subscribers_.find(subscriber);
  gone = std::move(it->second);
  subscribers_.erase(it);
}

Hub::Taken Hub::take(Subscriber& subscriber, std::size_t limit) {
  const std::lock_guard lock(mutex_);
  subscriber.woken = false;
  Taken taken;
  taken.lost = subscriber.lost;
  taken.ready = !subscriber.lost && position_.snapshot && advances_ >= subscriber.ready_at;
  taken.signalled = std::exchange(subscriber.signalled, false);
  taken.stall = stall_;
  taken.position = position_;
  auto& pending = subscriber.pending;
  const std::size_t n = std::min(limit, pending.size());
  taken.changes.reserve(n);
  for (std::size_t i = 0; i < n; ++i) {
    Pending& first = pending.front();
    if (subscriber.conflating) subscriber.places.erase(first.key, first.change->move.key);
    taken.changes.push_back(std::move(first));
    pending.pop_front();
  }
  subscriber.taken += n;
  taken.drained = pending.empty() && !subscriber.lost;
  if (pending.empty()) subscriber.conflating = false;
  return taken;
}

void Hub::wake_at_next_watermark(Subscriber& subscriber) {
  const std::lock_guard lock(mutex_);
  if (!std::exchange(subscriber.waiting, true)) waiting_.push_back(&subscriber);
}

Hub::Stats Hub::stats() const {
  const std::lock_guard lock(mutex_);
  return {.subscribers = subscribers_.size(), .changes = changes_, .conflated = conflated_};
}

void Hub::began() {
  Wakes wakes;
  {
    const std::lock_guard lock(mutex_);
    // While the feed has not begun nobody has anything to lose.
    if (position_.snapshot) {
      for (auto& [subscriber, owned] : subscribers_) lose(*subscriber, wakes);
    }
    position_ = {};
    under_way_ = overflowed_ = false;
    round_.clear();
    newest_.clear();
  }
  for (const auto& wake : wakes) (*wake)();
}

bool Hub::is_wanted(const Move& move) const {
  return !of_everything_.empty() || by_key_.contains(move.key) ||
         by_location_.contains(move.key.location);
}

void Hub::moved(std::span<const Move> moves) {
  const std::lock_guard lock(mutex_);
  if (!position_.snapshot) return;  // moves of the last minutes, which every beginning shows
  under_way_ = true;
  for (const Move& move : moves) {
    if (overflowed_ || !is_wanted(move)) continue;
    const auto [it, fresh] = newest_.try_emplace(move.key, round_.size());
    if (!fresh) {
      if (move.version <= round_[it->second].version) continue;
      it->second = round_.size();
    }
    round_.push_back(move);
    overflowed_ = round_.size() > options_.round;
  }
}

void Hub::advanced(const Watermark& watermark,
                   const std::shared_ptr<const domain::Snapshot>& snapshot) {
  Wakes wakes;
  {
    const std::lock_guard lock(mutex_);
    position_ = {.watermark = watermark, .snapshot = snapshot};
    stall_ = absl::OkStatus();
    ++advances_;
    if (overflowed_) {
      for (auto& [subscriber, owned] : subscribers_) {
        if (subscriber->interest.signal_only) {
          subscriber->signalled = true;
          wake(*subscriber, wakes);
        } else {
          lose(*subscriber, wakes);
        }
      }
      round_.clear();
    }
    for (std::size_t i = 0; i < round_.size(); ++i) {
      const bool last = newest_.find(round_[i].key)->second == i;
      auto change = std::make_shared<Change>();
      change->move = std::move(round_[i]);
      const domain::DatabaseTime as_of = change->move.as_of;
      change->true_through = last ? std::max(watermark.stamp, as_of) : as_of;
      if (const auto it = by_key_.find(change->move.key); it != by_key_.end()) {
        file(it->second, change, wakes);
      }
      const auto it = by_location_.find(change->move.key.location);
      if (it != by_location_.end()) file(it->second, change, wakes);
      file(of_everything_, change, wakes);
    }
    under_way_ = overflowed_ = false;
    round_.clear();
    newest_.clear();
    for (Subscriber* subscriber : std::exchange(waiting_, {})) {
      subscriber->waiting = false;
      wake(*subscriber, wakes);
    }
  }
  for (const auto& wake : wakes) (*wake)();
}

void Hub::stalled(const absl::Status& why) {
  const std::lock_guard lock(mutex_);
  stall_ = why;
}

void Hub::file(const Members& members, const std::shared_ptr<const Change>& change, Wakes& wakes) {
  for (const auto& [subscriber, key] : members) {
    if (subscriber->lost) continue;
    if (subscriber->interest.signal_only) {
      subscriber->signalled = true;
    } else {
      add(*subscriber, key, change);
      ++changes_;
      if (subscriber->pending.size() > options_.most) lose(*subscriber, wakes);
    }
    wake(*subscriber, wakes);
  }
}

void Hub::add(Subscriber& subscriber, std::size_t key,
              const std::shared_ptr<const Change>& change) {
  auto& pending = subscriber.pending;
  if (!subscriber.conflating && pending.size() >= options_.queue) conflate(subscriber);
  if (subscriber.conflating) {
    const std::uint64_t place = subscriber.taken + pending.size();
    const auto [its, fresh] = subscriber.places.find_or_put(key, change->move.key, place);
    if (!fresh) {
      Pending& older = pending[its - subscriber.taken];
      older.change = change;
      ++older.left_out;
      ++conflated_;
      return;
    }
  }
  pending.push_back({.change = change, .key = key, .left_out = 0});
}

// From every change to the newest of each key, in the place of its first one.
void Hub::conflate(Subscriber& subscriber) {
  subscriber.conflating = true;
  subscriber.places.clear();
  std::deque<Pending> every = std::exchange(subscriber.pending, {});
  for (Pending& next : every) {
    const std::uint64_t place = subscriber.taken + subscriber.pending.size();
    const auto [its, fresh] = subscriber.places.find_or_put(next.key, next.change->move.key, place);
    if (fresh) {
      subscriber.pending.push_back(std::move(next));
      continue;
    }
    Pending& older = subscriber.pending[its - subscriber.taken];
    older.change = std::move(next.change);
    older.left_out += next.left_out + 1;
    ++conflated_;
  }
}

void Hub::lose(Subscriber& subscriber, Wakes& wakes) {
  subscriber.lost = true;
  subscriber.pending.clear();
  subscriber.places.clear();
  subscriber.conflating = false;
  wake(subscriber, wakes);
}

void Hub::wake(Subscriber& subscriber, Wakes& wakes) {
  if (std::exchange(subscriber.woken, true)) return;
  wakes.push_back(subscriber.wake);
}

}  // namespace stock::feed
