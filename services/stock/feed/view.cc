#include "stock/feed/view.h"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "absl/hash/hash.h"
#include "stock/feed/prefetch.h"

namespace stock::feed {

Fingerprint fingerprint(const domain::Key& key) {
  return {.high = absl::HashOf(key.location, key.sku, 0x5ca1ab1e),
          .low = absl::HashOf(key.sku, key.location)};
}

View::View(std::size_t slots) : slots_(slots == 0 ? 0 : std::bit_ceil(slots)) {}

// The order of the loads is what the rule's proof needs: the watermark first, then the slot; and
// last whether the table was emptied meanwhile.
View::Moment View::now() const {
  if (!has_feed()) return {};
  Moment moment{.emptied = emptied_.load(std::memory_order_acquire),
                .watermark = watermark_.load()};
  const Opening opening = opening_.load();
  if (opening.incarnation != moment.watermark.incarnation) return {};
  moment.opened = opening.incarnation;
  moment.h0 = opening.h0;
  return moment;
}

Standing View::look(const Moment& moment, const Fingerprint& key,
                    const domain::Reading& reading) const {
  if (moment.opened == 0 || moment.opened != reading.incarnation) return Standing::kOwnDate;
  const Slot slot = place_of(key).load();
  if (emptied_.load(std::memory_order_relaxed) != moment.emptied) return Standing::kOwnDate;
  return feed::judge(reading.version, reading.heartbeat, key, slot, moment.h0);
}

void View::prefetch(const Fingerprint& key) const {
  const Place& place = place_of(key);
  // It may lie on two lines of the processor's cache.
  feed::prefetch(&place);
  feed::prefetch(reinterpret_cast<const char*>(&place + 1) - 1);
}

Standing View::judge(const Moment& moment, const Fingerprint& key, domain::Reading& reading) const {
  const Standing standing = look(moment, key, reading);
  const Watermark& watermark = moment.watermark;
  if (standing == Standing::kCurrent && watermark.stamp >= reading.true_through) {
    reading.true_through = watermark.stamp;
    reading.confirmed_at = watermark.confirmed_at;
    reading.confirmed_within = watermark.round_trip;
  }
  return standing;
}

bool View::renew(const domain::Key& key, domain::Reading& reading) const {
  const Moment moment = now();
  const Watermark& watermark = moment.watermark;
  if (look(moment, fingerprint(key), reading) != Standing::kCurrent ||
      watermark.stamp < reading.true_through || watermark.heartbeat <= reading.heartbeat) {
    return false;
  }
  reading.true_through = watermark.stamp;
  reading.confirmed_at = watermark.confirmed_at;
  reading.confirmed_within = watermark.round_trip;
  reading.heartbeat = watermark.heartbeat;
  return true;
}

bool View::admits(const domain::Key& key, const domain::Reading& reading) const {
  if (!has_feed()) return true;
  const std::uint64_t emptied = emptied_.load(std::memory_order_acquire);
  const Opening opening = opening_.load();
  if (opening.incarnation == 0 || opening.incarnation != reading.incarnation) return false;
  const Fingerprint print = fingerprint(key);
  const Slot slot = place_of(print).load();
  return emptied_.load(std::memory_order_relaxed) == emptied &&
         feed::judge(reading.version, reading.heartbeat, print, slot, opening.h0) ==
             Standing::kCurrent;
}

bool View::shows(const domain::Transaction& transaction) const {
  const Watermark watermark = watermark_.load();
  if (watermark.incarnation == 0 || watermark.incarnation != transaction.incarnation ||
      transaction.xid >= watermark.xmax) {
    return false;
  }
  if (transaction.xid < watermark.xmin) return true;
  const std::lock_guard lock(snapshot_mutex_);
  return snapshot_ && snapshot_incarnation_ == transaction.incarnation &&
         snapshot_->shows(transaction.xid);
}

// Who judges now either sees the counter's change or the slots as they were.
void View::begin() {
  opening_.store({});
  watermark_.store({});
  emptied_.fetch_add(1, std::memory_order_acq_rel);
  for (auto& slot : slots_) slot.store({});
  const std::lock_guard lock(snapshot_mutex_);
  snapshot_.reset();
  snapshot_incarnation_ = 0;
}

// Slots are asked for some moves before they are written.
void View::record(std::span<const Move> moves, domain::HeartbeatNumber since) {
  constexpr std::size_t kAhead = 16;
  std::array<Fingerprint, kAhead> prints;
  for (std::size_t i = 0; i < moves.size() + kAhead; ++i) {
    Fingerprint& print = prints[i % kAhead];
    if (i >= kAhead) write(print, moves[i - kAhead].version, since);
    if (i >= moves.size()) continue;
    print = fingerprint(moves[i].key);
    prefetch(print);
  }
}

void View::write(const Fingerprint& key, domain::Version version, domain::HeartbeatNumber since) {
  Place& place = slots_[key.low & (slots_.size() - 1)];
  const Slot before = place.load();
  const bool own = before.version > 0 && before.key == key;
  place.store({.key = key,
               .version = own ? std::max(version, before.version) : version,
               .since = std::max(since, before.since)});
}

void View::open(domain::Incarnation incarnation, domain::HeartbeatNumber h0) {
  opening_.store({.incarnation = incarnation, .h0 = h0});
}

// The watermark first: what shows() says by a snapshot then holds for every watermark that is
// loaded afterwards.
void View::publish(const Watermark& watermark, std::shared_ptr<const domain::Snapshot> snapshot) {
  watermark_.store(watermark);
  const std::lock_guard lock(snapshot_mutex_);
  snapshot_ = std::move(snapshot);
  snapshot_incarnation_ = watermark.incarnation;
}

}  // namespace stock::feed
