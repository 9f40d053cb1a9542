// A bounded map of copies by key that evicts by SIEVE: Zhang et al., "SIEVE is Simpler than LRU:
// an Efficient Turn-Key Eviction Algorithm for Web Caches", NSDI 2024.
//
// Entries queue in order of arrival, newest first, and never move. A visit only sets a bit. To make
// room, a hand goes from the oldest towards the newest: it clears the bits that it finds set and
// evicts the first entry without one; the next time it goes on from there, and behind the newest it
// starts again at the oldest. So what was wanted once, as in a scan over all keys, leaves soon and
// costs the popular ones nothing.
//
// Takes 136 bytes an entry as long as sku and location have up to 25 bytes together (longer ones
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
  void prefetch_bucket(const HashedKey& key) const { __builtin_prefetch(&bucket_of(key.hash)); }
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
    Slot next = kNone;  // in the same bucket
    Copy copy;
  };
  static_assert(sizeof(Entry) == 128);

  // The first of a chain. Atomic only for those who prefetch.
  using Bucket = std::atomic<Slot>;

  [[nodiscard]] Slot find(const HashedKey& key) const;
  // Takes an entry out of queue and bucket, and returns its slot for another use.
  Slot evict();
  Slot take_out(Slot slot);
  // By the lower half of the hash.
  [[nodiscard]] const Bucket& bucket_of(std::size_t hash) const {
    return buckets_[((hash & UINT32_MAX) * buckets_.size()) >> 32];
  }
  Bucket& bucket_of(std::size_t hash) {
    return buckets_[((hash & UINT32_MAX) * buckets_.size()) >> 32];
  }
  void unlink_from_bucket(Slot slot);
  void empty_buckets();
  void unlink_from_queue(Slot slot);
  void link_as_newest(Slot slot);

  std::size_t capacity_;
  std::vector<Entry, feed::LargePages<Entry>> entries_;  // never grows beyond its first reservation
  std::vector<Slot> vacant_;                             // of entries that were erased
  // Chained, two for each entry: fewer than one in four keys is looked for in a second entry. With
  // chains there is never a rehash under a lock, neither for growth nor to clean up behind
  // deletions.
  std::vector<Bucket, feed::LargePages<Bucket>> buckets_;
  Slot newest_ = kNone;
  Slot oldest_ = kNone;
  Slot hand_ = kNone;  // kNone: at the oldest
};

}  // namespace stock::memory
