#include "stock/memory/sieve.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "absl/hash/hash.h"

namespace stock::memory {

HashedKey::HashedKey(const domain::Key& hashed)
    : key(hashed), hash(absl::Hash<domain::Key>{}(hashed)) {}

Sieve::Sieve(std::size_t capacity)
    : capacity_(std::clamp<std::size_t>(capacity, 1, kNone)),
      buckets_(std::bit_ceil(capacity_), kNone) {
  entries_.reserve(capacity_);
}

domain::Reading* Sieve::visit(const HashedKey& key) {
  const Slot slot = find(key);
  if (slot == kNone) return nullptr;
  entries_[slot].visited = true;
  return &entries_[slot].reading;
}

domain::Reading* Sieve::peek(const HashedKey& key) {
  const Slot slot = find(key);
  return slot == kNone ? nullptr : &entries_[slot].reading;
}

bool Sieve::insert(const HashedKey& key, const domain::Reading& reading) {
  const bool full = entries_.size() == capacity_;
  Slot slot = static_cast<Slot>(entries_.size());
  if (full) {
    slot = evict();
  } else {
    entries_.emplace_back();
  }
  Entry& entry = entries_[slot];
  entry.key = key.key;
  entry.reading = reading;
  entry.visited = false;
  entry.next = std::exchange(bucket(key.hash), slot);
  link_as_newest(slot);
  return full;
}

void Sieve::clear() {
  entries_.clear();
  std::fill(buckets_.begin(), buckets_.end(), kNone);
  newest_ = oldest_ = hand_ = kNone;
}

Sieve::Slot Sieve::find(const HashedKey& key) const {
  Slot slot = buckets_[key.hash & (buckets_.size() - 1)];
  while (slot != kNone && entries_[slot].key != key.key) slot = entries_[slot].next;
  return slot;
}

Sieve::Slot Sieve::evict() {
  Slot victim = hand_ == kNone ? oldest_ : hand_;
  while (entries_[victim].visited) {
    entries_[victim].visited = false;
    victim = entries_[victim].newer == kNone ? oldest_ : entries_[victim].newer;
  }
  hand_ = entries_[victim].newer;
  unlink_from_queue(victim);
  unlink_from_bucket(victim);
  return victim;
}

void Sieve::unlink_from_bucket(Slot slot) {
  Slot* link = &bucket(HashedKey(entries_[slot].key).hash);
  while (*link != slot) link = &entries_[*link].next;
  *link = entries_[slot].next;
}

void Sieve::unlink_from_queue(Slot slot) {
  const Entry& entry = entries_[slot];
  (entry.newer == kNone ? newest_ : entries_[entry.newer].older) = entry.older;
  (entry.older == kNone ? oldest_ : entries_[entry.older].newer) = entry.newer;
}

void Sieve::link_as_newest(Slot slot) {
  Entry& entry = entries_[slot];
  entry.newer = kNone;
  entry.older = newest_;
  (newest_ == kNone ? oldest_ : entries_[newest_].newer) = slot;
  newest_ = slot;
}

}  // namespace stock::memory
