#include "stock/memory/sieve.h"

#include <algorithm>

#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"

namespace stock::memory {

namespace {

std::size_t hash_of(std::string_view sku, std::string_view location) {
  // Of Abseil's own kind, which it has a faster hash for.
  const auto own = [](std::string_view text) {
    return absl::string_view(text.data(), text.size());
  };
  return absl::HashOf(own(sku), own(location));
}

}  // namespace

HashedKey::HashedKey(const domain::Key& hashed)
    : key(hashed), hash(hash_of(hashed.sku, hashed.location)) {}

Sieve::Sieve(std::size_t capacity)
    : capacity_(std::clamp<std::size_t>(capacity, 1, kNone)), buckets_(2 * capacity_) {
  empty_buckets();
  entries_.reserve(capacity_);
}

Copy* Sieve::visit(const HashedKey& key) {
  const Slot slot = find(key);
  if (slot == kNone) return nullptr;
  Entry& entry = entries_[slot];
  // Other processors keep the line that need not change.
  if (!entry.visited) entry.visited = true;
  return &entry.copy;
}

Copy* Sieve::peek(const HashedKey& key) {
  const Slot slot = find(key);
  return slot == kNone ? nullptr : &entries_[slot].copy;
}

void Sieve::prefetch_entry(const HashedKey& key) const {
  const Slot slot = bucket_of(key.hash).load(std::memory_order_relaxed);
  if (slot == kNone) return;
  // It may be gone by now: then this was for nothing.
  const Entry* entry = entries_.data() + slot;
  __builtin_prefetch(entry);
  __builtin_prefetch(&entry->copy.true_through);
}

bool Sieve::insert(const HashedKey& key, const Copy& copy) {
  const bool full = size() == capacity_;
  Slot slot = static_cast<Slot>(entries_.size());
  if (full) {
    slot = evict();
  } else if (!vacant_.empty()) {
    slot = vacant_.back();
    vacant_.pop_back();
  } else {
    entries_.emplace_back();
  }
  Entry& entry = entries_[slot];
  entry.key = PackedKey(key.key);
  entry.copy = copy;
  entry.visited = false;
  Bucket& bucket = bucket_of(key.hash);
  entry.next = bucket.load(std::memory_order_relaxed);
  bucket.store(slot, std::memory_order_relaxed);
  link_as_newest(slot);
  return full;
}

bool Sieve::erase(const HashedKey& key) {
  const Slot slot = find(key);
  if (slot == kNone) return false;
  vacant_.push_back(take_out(slot));
  return true;
}

void Sieve::clear() {
  entries_.clear();
  vacant_.clear();
  empty_buckets();
  newest_ = oldest_ = hand_ = kNone;
}

Sieve::Slot Sieve::find(const HashedKey& key) const {
  Slot slot = bucket_of(key.hash).load(std::memory_order_relaxed);
  while (slot != kNone && !(entries_[slot].key == key.key)) slot = entries_[slot].next;
  return slot;
}

Sieve::Slot Sieve::evict() {
  Slot victim = hand_ == kNone ? oldest_ : hand_;
  while (entries_[victim].visited) {
    entries_[victim].visited = false;
    victim = entries_[victim].newer == kNone ? oldest_ : entries_[victim].newer;
  }
  hand_ = victim;
  return take_out(victim);
}

// The hand goes on from the next newer one.
Sieve::Slot Sieve::take_out(Slot slot) {
  if (hand_ == slot) hand_ = entries_[slot].newer;
  unlink_from_queue(slot);
  unlink_from_bucket(slot);
  return slot;
}

void Sieve::unlink_from_bucket(Slot slot) {
  const Entry& entry = entries_[slot];
  Bucket& bucket = bucket_of(hash_of(entry.key.sku(), entry.key.location()));
  Slot at = bucket.load(std::memory_order_relaxed);
  if (at == slot) return bucket.store(entry.next, std::memory_order_relaxed);
  while (entries_[at].next != slot) at = entries_[at].next;
  entries_[at].next = entry.next;
}

void Sieve::empty_buckets() {
  for (Bucket& bucket : buckets_) bucket.store(kNone, std::memory_order_relaxed);
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
