// A bounded map of readings by key that evicts by SIEVE: Zhang et al., "SIEVE is Simpler than LRU:
// an Efficient Turn-Key Eviction Algorithm for Web Caches", NSDI 2024.
//
// Entries queue in order of arrival, newest first, and never move. A visit only sets a bit. To make
// room, a hand goes from the oldest towards the newest: it clears the bits that it finds set and
// evicts the first entry without one; the next time it goes on from there, and behind the newest it
// starts again at the oldest. So what was wanted once, as in a scan over all keys, leaves soon and
// costs the popular ones nothing.
//
// Takes about 200 bytes an entry as long as sku and location have up to 15 bytes each (longer ones
// live on the heap). Memory is reserved at once, and touched by the system's pager as it fills.
//
// Not thread-safe: memory_layer.h puts a lock around each. Separate from it so that the algorithm
// can be read, and compared with a naive model, by itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "stock/domain/key.h"
#include "stock/domain/reading.h"

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
  domain::Reading* visit(const HashedKey& key);  // marks it as wanted
  domain::Reading* peek(const HashedKey& key);   // leaves no trace

  // `key` must not be held. Returns true when another key was evicted for it.
  bool insert(const HashedKey& key, const domain::Reading& reading);
  void clear();

  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }

 private:
  using Slot = std::uint32_t;  // an index into entries_
  static constexpr Slot kNone = UINT32_MAX;

  struct Entry {
    domain::Key key;
    domain::Reading reading;
    Slot newer = kNone;  // neighbours in the queue
    Slot older = kNone;
    Slot next = kNone;  // in the same bucket
    bool visited = false;
  };

  [[nodiscard]] Slot find(const HashedKey& key) const;
  // Takes an entry out of queue and bucket, and returns its slot for another use.
  Slot evict();
  Slot& bucket(std::size_t hash) { return buckets_[hash & (buckets_.size() - 1)]; }
  void unlink_from_bucket(Slot slot);
  void unlink_from_queue(Slot slot);
  void link_as_newest(Slot slot);

  std::size_t capacity_;
  std::vector<Entry> entries_;  // never grows beyond its first reservation
  // Chained, a power of two of them. With chains there is never a rehash under a lock, neither for
  // growth nor to clean up behind deletions.
  std::vector<Slot> buckets_;
  Slot newest_ = kNone;
  Slot oldest_ = kNone;
  Slot hand_ = kNone;  // kNone: at the oldest
};

}  // namespace stock::memory
