#include "stock/feed/view.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "absl/hash/hash.h"

namespace stock::feed {

Fingerprint fingerprint(const domain::Key& key) {
  return {.high = absl::HashOf(key.location, key.sku, 0x5ca1ab1e),
          .low = absl::HashOf(key.sku, key.location)};
}

View::View(std::size_t slots) : slots_(slots == 0 ? 0 : std::bit_ceil(slots)) {}

// The order of the loads is what the rule's proof needs: the watermark first, then the slot; and
// last whether the table was emptied meanwhile.
View::Judged View::look(const domain::Key& key, const domain::Reading& reading) const {
  if (!has_feed()) return {};
  const std::uint64_t emptied = emptied_.load(std::memory_order_acquire);
  const Watermark watermark = watermark_.load();
  const Opening opening = opening_.load();
  if (opening.incarnation == 0 || opening.incarnation != reading.incarnation ||
      watermark.incarnation != reading.incarnation) {
    return {};
  }
  const Fingerprint print = fingerprint(key);
  const Slot slot = slot_of(print);
  if (emptied_.load(std::memory_order_relaxed) != emptied) return {};
  return {.standing = feed::judge(reading.version, reading.heartbeat, print, slot, opening.h0),
          .watermark = watermark};
}

Standing View::judge(const domain::Key& key, domain::Reading& reading) const {
  const Judged judged = look(key, reading);
  if (judged.standing == Standing::kCurrent && judged.watermark.stamp >= reading.true_through) {
    reading.true_through = judged.watermark.stamp;
    reading.confirmed_at = judged.watermark.confirmed_at;
    reading.confirmed_within = judged.watermark.round_trip;
  }
  return judged.standing;
}

bool View::renew(const domain::Key& key, domain::Reading& reading) const {
  const Judged judged = look(key, reading);
  if (judged.standing != Standing::kCurrent || judged.watermark.stamp < reading.true_through ||
      judged.watermark.heartbeat <= reading.heartbeat) {
    return false;
  }
  reading.true_through = judged.watermark.stamp;
  reading.confirmed_at = judged.watermark.confirmed_at;
  reading.confirmed_within = judged.watermark.round_trip;
  reading.heartbeat = judged.watermark.heartbeat;
  return true;
}

bool View::admits(const domain::Key& key, const domain::Reading& reading) const {
  if (!has_feed()) return true;
  const std::uint64_t emptied = emptied_.load(std::memory_order_acquire);
  const Opening opening = opening_.load();
  if (opening.incarnation == 0 || opening.incarnation != reading.incarnation) return false;
  const Fingerprint print = fingerprint(key);
  const Slot slot = slot_of(print);
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

void View::record(const domain::Key& key, domain::Version version, domain::HeartbeatNumber since) {
  const Fingerprint print = fingerprint(key);
  clock::Published<Slot>& place = slots_[print.low & (slots_.size() - 1)];
  const Slot before = place.load();
  const bool own = before.version > 0 && before.key == print;
  place.store({.key = print,
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
