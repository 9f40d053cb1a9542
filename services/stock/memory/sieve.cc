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
    : capacity_(std::clamp<std::size_t>(capacity, 1, kNone)), places_(2 * capacity_) {
  vacate_all();
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
  const Slot slot = slot_in(place(look(key.hash, [](Slot) { return true; })));
  if (slot == kNone) return;
  // It may be gone by now: then this was for nothing.
  const Entry* entry = entries_.data() + slot;
  feed::prefetch(entry);
  feed::prefetch(&entry->copy.true_through);
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
  put(look(key.hash, [](Slot) { return false; }), half_of(key.hash) << 32 | slot);
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
  vacate_all();
  newest_ = oldest_ = hand_ = kNone;
}

template <typename Wanted>
std::size_t Sieve::look(std::size_t hash, Wanted wanted) const {
  const std::uint64_t half = half_of(hash);
  std::size_t at = home(half);
  for (;; at = behind(at)) {
    const std::uint64_t found = place(at);
    if (found == kVacant) return at;
    if (half_in(found) == half && wanted(slot_in(found))) return at;
  }
}

Sieve::Slot Sieve::find(const HashedKey& key) const {
  return slot_in(place(look(key.hash, [&](Slot slot) { return entries_[slot].key == key.key; })));
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
  const PackedKey& key = entries_[slot].key;
  vacate(look(hash_of(key.sku(), key.location()), [=](Slot held) { return held == slot; }));
  return slot;
}

// What is behind it and may be looked for here moves up, so that no look-up ends too early.
void Sieve::vacate(std::size_t hole) {
  const auto distance = [this](std::size_t from, std::size_t to) {
    return to >= from ? to - from : to + places_.size() - from;
  };
  for (std::size_t at = behind(hole); place(at) != kVacant; at = behind(at)) {
    if (distance(home(half_in(place(at))), at) < distance(hole, at)) continue;
    put(hole, place(at));
    hole = at;
  }
  put(hole, kVacant);
}

void Sieve::vacate_all() {
  for (std::size_t at = 0; at < places_.size(); ++at) put(at, kVacant);
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
