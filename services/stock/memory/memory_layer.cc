#include "stock/memory/memory_layer.h"

#include <algorithm>
#include <mutex>

#include "absl/container/inlined_vector.h"
#include "stock/memory/sieve.h"

namespace stock::memory {
namespace {

using domain::Outcome;

constexpr std::size_t kLeastPerShard = 64;

// `watermark` was loaded before the entry was looked at; in the other order a move between the two
// would be dated by a watermark that covers it.
void answer(const Copy* found, const feed::Watermark& watermark, layers::Answer& answer) {
  if (found == nullptr) {
    answer.outcome = Outcome::kMiss;
    return;
  }
  answer.outcome = Outcome::kHit;
  found->give(answer.reading);
  if (watermark.incarnation != found->incarnation) return;
  if (watermark.stamp < found->true_through) return;
  answer.reading.true_through = watermark.stamp;
  answer.reading.confirmed_at = watermark.confirmed_at;
  answer.reading.confirmed_within = watermark.round_trip;
}

const domain::Key& key_of(const domain::Key& key) { return key; }
const domain::Key& key_of(const feed::Move& move) { return move.key; }

bool replaces(const domain::Reading& offered, const Copy& held) {
  if (offered.incarnation != held.incarnation) return true;
  if (offered.version != held.version) return offered.version > held.version;
  return offered.true_through > held.true_through;
}

}  // namespace

// Each on cache lines of its own: the locks are what threads meet at.
struct alignas(64) MemoryLayer::Shard {
  explicit Shard(std::size_t capacity) : sieve(capacity) {}

  std::mutex mutex;
  Sieve sieve;
  std::uint64_t evictions = 0;
};

MemoryLayer::MemoryLayer(const MemoryOptions& options, const feed::View& view) : view_(view) {
  const std::size_t capacity = std::max<std::size_t>(options.capacity, 1);
  const std::size_t most = std::max<std::size_t>(options.shards, 1);
  const std::size_t shards = std::clamp<std::size_t>(capacity / kLeastPerShard, 1, most);
  for (std::size_t i = 0; i < shards; ++i) {
    const std::size_t share = capacity / shards + (i < capacity % shards ? 1 : 0);
    shards_.push_back(std::make_unique<Shard>(share));
  }
}

MemoryLayer::~MemoryLayer() = default;

// Looking up many keys, what is not in the processor's cache is waited for together. Each step is a
// loop of its own, as short as can be: what is asked for leaves the processor's window only when
// its page has been found, and what is locked waits for all before it.
template <typename Items, typename Use>
void MemoryLayer::each(const Items& items, Use use) const {
  constexpr std::size_t kTogether = 32;
  struct Sought {
    HashedKey key;
    Shard& shard;
  };
  absl::InlinedVector<Sought, kTogether> group;
  for (std::size_t first = 0; first < items.size(); first += kTogether) {
    group.clear();
    for (std::size_t i = first; i < std::min(first + kTogether, items.size()); ++i) {
      const HashedKey key(key_of(items[i]));
      group.push_back({key, shard_of(key.hash)});
    }
    if (group.size() > 1) {
      for (const auto& [key, shard] : group) shard.sieve.prefetch_place(key);
      for (const auto& [key, shard] : group) shard.sieve.prefetch_entry(key);
    }
    for (std::size_t i = 0; i < group.size(); ++i) {
      const auto& [key, shard] = group[i];
      const std::lock_guard lock(shard.mutex);
      use(first + i, key, shard);
    }
  }
}

void MemoryLayer::read(std::span<const domain::Key> keys, std::span<layers::Answer> answers,
                       const layers::ReadContext& /*context*/, layers::Done done) {
  const feed::Watermark watermark = view_.watermark();
  each(keys, [&](std::size_t i, const HashedKey& key, Shard& shard) {
    answer(shard.sieve.visit(key), watermark, answers[i]);
  });
  done({});
}

void MemoryLayer::offer(std::span<const domain::Key> keys,
                        std::span<const domain::Reading> readings) {
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const HashedKey key(keys[i]);
    Shard& shard = shard_of(key.hash);
    const std::lock_guard lock(shard.mutex);
    if (!view_.admits(keys[i], readings[i])) continue;
    // Without what dates it by a watermark: answers are dated by that of their time.
    const Copy offered(readings[i]);
    Copy* held = shard.sieve.peek(key);
    if (held == nullptr) {
      if (shard.sieve.insert(key, offered)) ++shard.evictions;
    } else if (replaces(readings[i], *held)) {
      *held = offered;
    }
  }
}

void MemoryLayer::peek(std::span<const domain::Key> keys, std::span<layers::Answer> answers) const {
  const feed::Watermark watermark = view_.watermark();
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const HashedKey key(keys[i]);
    Shard& shard = shard_of(key.hash);
    const std::lock_guard lock(shard.mutex);
    answer(shard.sieve.peek(key), watermark, answers[i]);
  }
}

void MemoryLayer::remove(std::span<const domain::Key> keys,
                         absl::AnyInvocable<void(absl::Status)> done) {
  for (const domain::Key& key : keys) {
    const HashedKey hashed(key);
    Shard& shard = shard_of(hashed.hash);
    const std::lock_guard lock(shard.mutex);
    shard.sieve.erase(hashed);
  }
  done(absl::OkStatus());
}

void MemoryLayer::clear() {
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard->mutex);
    shard->sieve.clear();
  }
}

// The view's slots have been written by now, so that an older copy that comes after this is
// refused.
void MemoryLayer::moved(std::span<const feed::Move> moves) {
  each(moves, [&](std::size_t i, const HashedKey& key, Shard& shard) {
    const feed::Move& move = moves[i];
    Copy* held = shard.sieve.peek(key);
    if (held == nullptr || held->version >= move.version) return;
    held->exists = move.exists;
    held->version = move.version;
    held->counts = move.counts;
    held->earliest_expiry = move.earliest_expiry;
    held->as_of = move.as_of;
    held->true_through = move.as_of;
  });
}

MemoryStats MemoryLayer::stats() const {
  MemoryStats stats;
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard->mutex);
    stats.entries += shard->sieve.size();
    stats.capacity += shard->sieve.capacity();
    stats.evictions += shard->evictions;
  }
  return stats;
}

// By the upper half of the hash; the buckets within a shard go by the lower one.
MemoryLayer::Shard& MemoryLayer::shard_of(std::size_t hash) const {
  return *shards_[((hash >> 32) * shards_.size()) >> 32];
}

void PeekLayer::read(std::span<const domain::Key> keys, std::span<layers::Answer> answers,
                     const layers::ReadContext& /*context*/, layers::Done done) {
  memory_.peek(keys, answers);
  done({});
}

}  // namespace stock::memory
