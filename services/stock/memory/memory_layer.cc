#include "stock/memory/memory_layer.h"

#include <algorithm>
#include <mutex>

#include "stock/memory/sieve.h"

namespace stock::memory {
namespace {

using domain::Outcome;

constexpr std::size_t kLeastPerShard = 64;

// `watermark` was loaded before the entry was looked at; in the other order a move between the two
// would be dated by a watermark that covers it.
void answer(const domain::Reading* found, const feed::Watermark& watermark,
            layers::Answer& answer) {
  if (found == nullptr) {
    answer.outcome = Outcome::kMiss;
    return;
  }
  answer.outcome = Outcome::kHit;
  answer.reading = *found;
  if (watermark.incarnation != found->incarnation) return;
  if (watermark.stamp < found->true_through) return;
  answer.reading.true_through = watermark.stamp;
  answer.reading.confirmed_at = watermark.confirmed_at;
  answer.reading.confirmed_within = watermark.round_trip;
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

void MemoryLayer::read(std::span<const domain::Key> keys, std::span<layers::Answer> answers,
                       const layers::ReadContext& /*context*/, layers::Done done) {
  const feed::Watermark watermark = view_.watermark();
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const HashedKey key(keys[i]);
    Shard& shard = shard_of(key.hash);
    const std::lock_guard lock(shard.mutex);
    answer(shard.sieve.visit(key), watermark, answers[i]);
  }
  done({});
}

void MemoryLayer::offer(std::span<const domain::Key> keys,
                        std::span<const domain::Reading> readings) {
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const HashedKey key(keys[i]);
    Shard& shard = shard_of(key.hash);
    const std::lock_guard lock(shard.mutex);
    if (!view_.admits(keys[i], readings[i])) continue;
    domain::Reading* held = shard.sieve.peek(key);
    if (held == nullptr) {
      if (shard.sieve.insert(key, readings[i])) ++shard.evictions;
    } else if (replaces(readings[i], *held)) {
      *held = readings[i];
    } else {
      continue;
    }
    // Answers are dated by the watermark of their time, or by the copy's own date.
    shard.sieve.peek(key)->confirmed_at = {};
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

void MemoryLayer::began() {
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard->mutex);
    shard->sieve.clear();
  }
}

// The view's slots have been written by now, so that an older copy that comes after this is
// refused.
void MemoryLayer::moved(std::span<const feed::Move> moves) {
  for (const feed::Move& move : moves) {
    const HashedKey key(move.key);
    Shard& shard = shard_of(key.hash);
    const std::lock_guard lock(shard.mutex);
    domain::Reading* held = shard.sieve.peek(key);
    if (held == nullptr || held->version >= move.version) continue;
    held->exists = move.exists;
    held->version = move.version;
    held->counts = move.counts;
    held->as_of = move.as_of;
    held->true_through = move.as_of;
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
