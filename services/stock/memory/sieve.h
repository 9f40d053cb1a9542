// A bounded map of copies by key that evicts by SIEVE: Zhang et al., "SIEVE is Simpler than LRU:
// an Efficient Turn-Key Eviction Algorithm for Web Caches", NSDI 2024.
//
// Entries queue in order of arrival, newest first, and never move. A visit only sets a bit. To make
// room, a hand goes from the oldest towards the newest: it clears the bits that it finds set and
// evicts the first entry without one; the next time it goes on from there, and behind the newest it
// starts again at the oldest. So what was wanted once, as in a scan over all keys, leaves soon and
// costs the popular ones nothing.
//
// Takes 144 bytes an entry as long as sku and location have up to 29 bytes together (longer ones
// live on the heap). Memory is reserved at once, and touched by the system's pager as it fills.
//
// Not thread-safe: memory_layer.h puts a lock around each. Separate from it so that the algorithm
// can be read, and compared with a naive model, by itself.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "stock/domain/key.h"
#include "stock/feed/large_pages.h"
#include "stock/feed/prefetch.h"
#include "stock/memory/copy.h"
#include "stock/memory/packed_key.h"

namespace stock::memory {

// A key with its hash, which is computed once per operation.
struct HashedKey {
  explicit HashedKey(const domain::Key& hashed);

  const domain::Key& key;
  std::size_t hash;
};

class Sieve {
 public:
  // At least 1.
  explicit Sieve(std::size_t capacity);

  // Null when `key` is not held; otherwise valid until the next insert() or clear().
  Copy* visit(const HashedKey& key);  // marks it as wanted
  Copy* peek(const HashedKey& key);   // leaves no trace

  // Have the processor fetch what a look-up will want, one after the other, while something else is
  // done. From any thread, without the lock.
  void prefetch_place(const HashedKey& key) const {
    feed::prefetch(&places_[home(half_of(key.hash))]);
  }
  void prefetch_entry(const HashedKey& key) const;

  // `key` must not be held. Returns true when another key was evicted for it.
  bool insert(const HashedKey& key, const Copy& copy);
  // Returns whether it was held.
  bool erase(const HashedKey& key);
  void clear();

  [[nodiscard]] std::size_t size() const { return entries_.size() - vacant_.size(); }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }

 private:
  using Slot = std::uint32_t;  // an index into entries_
  static constexpr Slot kNone = UINT32_MAX;

  // Two lines of the processor's cache. What a look-up compares is in the first.
  struct alignas(64) Entry {
    PackedKey key;
    bool visited = false;
    Slot newer = kNone;  // neighbours in the queue
    Slot older = kNone;
    Copy copy;
  };
  static_assert(sizeof(Entry) == 128);

  // The lower half of a key's hash, and the slot of its entry. Atomic only for those who prefetch.
  using Place = std::atomic<std::uint64_t>;
  static constexpr std::uint64_t kVacant = UINT64_MAX;
  static std::uint64_t half_of(std::size_t hash) { return hash & UINT32_MAX; }
  static Slot slot_in(std::uint64_t place) { return static_cast<Slot>(place); }
  static std::uint64_t half_in(std::uint64_t place) { return place >> 32; }

  // A key is looked for here first, and then behind it.
  [[nodiscard]] std::size_t home(std::uint64_t half) const { return (half * places_.size()) >> 32; }
  [[nodiscard]] std::size_t behind(std::size_t at) const {
    return at + 1 == places_.size() ? 0 : at + 1;
  }
  [[nodiscard]] std::uint64_t place(std::size_t at) const {
    return places_[at].load(std::memory_order_relaxed);
  }
  void put(std::size_t at, std::uint64_t place) {
    places_[at].store(place, std::memory_order_relaxed);
  }
  // The first one with this hash and a slot that is `wanted`, else the vacant one behind them all.
  template <typename Wanted>
  std::size_t look(std::size_t hash, Wanted wanted) const;
  [[nodiscard]] Slot find(const HashedKey& key) const;
  void vacate(std::size_t hole);
  void vacate_all();

  // Takes an entry out of queue and places, and returns its slot for another use.
  Slot evict();
  Slot take_out(Slot slot);
  void unlink_from_queue(Slot slot);
  void link_as_newest(Slot slot);

  std::size_t capacity_;
  std::vector<Entry, feed::LargePages<Entry>> entries_;  // never grows beyond its first reservation
  std::vector<Slot> vacant_;                             // of entries that were erased
  // Two for each entry, probed one after the other: mostly within one line, and no other key's
  // entry is looked at. There is never a rehash under a lock, neither for growth nor to clean up
  // behind deletions.
  std::vector<Place, feed::LargePages<Place>> places_;
  Slot newest_ = kNone;
  Slot oldest_ = kNone;
  Slot hand_ = kNone;  // kNone: at the oldest
};

}  // namespace stock::memory
