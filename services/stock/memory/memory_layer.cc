#include "stock/memory/memory_layer.h"

#include <algorithm>
#include <mutex>

#include "stock/memory/sieve.h"

namespace stock::memory {
namespace {

using domain::Outcome;

constexpr std::size_t kLeastPerShard = 64;

void answer(const domain::Reading* found, layers::Answer& answer) {
  answer.outcome = found ? Outcome::kHit : Outcome::kMiss;
  answer.reading = found ? *found : domain::Reading{};
}

bool replaces(const domain::Reading& offered, const domain::Reading& held) {
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

MemoryLayer::MemoryLayer(const MemoryOptions& options) {
  const std::size_t capacity = std::max<std::size_t>(options.capacity, 1);
  const std::size_t most = std::max<std::size_t>(options.shards, 1);
  const std::size_t shards = std::clamp<std::size_t>(capacity / kLeastPerShard, 1, most);
  for (std::size_t i = 0; i < shards; ++i) {
    const std::size_t share = capacity / shards + (i < capacity % shards ? 1 : 0);
    shards_.push_back(std::make_unique<Shard>(share));
  }
}

MemoryLayer::~MemoryLayer() = default;

void MemoryLayer::read(std::span<const domain::Key> keys, std::span<layers::Answer> answers,
                       const layers::ReadContext& /*context*/, layers::Done done) {
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const HashedKey key(keys[i]);
    Shard& shard = shard_of(key.hash);
    const std::lock_guard lock(shard.mutex);
    answer(shard.sieve.visit(key), answers[i]);
  }
  done({});
}

void MemoryLayer::offer(std::span<const domain::Key> keys,
                        std::span<const domain::Reading> readings) {
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const HashedKey key(keys[i]);
    Shard& shard = shard_of(key.hash);
    const std::lock_guard lock(shard.mutex);
    domain::Reading* held = shard.sieve.peek(key);
    if (held == nullptr) {
      if (shard.sieve.insert(key, readings[i])) ++shard.evictions;
    } else if (replaces(readings[i], *held)) {
      *held = readings[i];
    }
  }
}

void MemoryLayer::peek(std::span<const domain::Key> keys, std::span<layers::Answer> answers) const {
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const HashedKey key(keys[i]);
    Shard& shard = shard_of(key.hash);
    const std::lock_guard lock(shard.mutex);
    answer(shard.sieve.peek(key), answers[i]);
  }
}

void MemoryLayer::clear() {
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard->mutex);
    shard->sieve.clear();
  }
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

// By the upper half of the hash; the buckets within a shard go by its lowest bits.
MemoryLayer::Shard& MemoryLayer::shard_of(std::size_t hash) const {
  return *shards_[((hash >> 32) * shards_.size()) >> 32];
}

void PeekLayer::read(std::span<const domain::Key> keys, std::span<layers::Answer> answers,
                     const layers::ReadContext& /*context*/, layers::Done done) {
  memory_.peek(keys, answers);
  done({});
}

}  // namespace stock::memory
