// The layer in the process itself: copies of levels, bounded in number, held for the keys that are
// read most (sieve.h).
//
// With a feed, only copies that are current enter, and the feed keeps them so: they are true
// through the watermark. Without one it holds what it was offered, each copy with its own date.
// Whether a copy is fresh enough is decided in the read path; answers are kHit and kMiss only.
//
// Thread-safe. Keys are spread over shards by their hash, each with its own lock, held for one key
// at a time and for no longer than it takes to copy a reading. A read allocates nothing, and has
// called `done` when it returns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "stock/domain/key.h"
#include "stock/domain/reading.h"
#include "stock/feed/tail.h"
#include "stock/feed/view.h"
#include "stock/layers/layer.h"
#include "stock/layers/removable.h"

namespace stock::memory {

struct MemoryOptions {
  std::size_t capacity = 200'000;  // entries in all; at least 1
  // At most this many: a shard has no fewer than 64 entries, so that hashing does not make a small
  // memory smaller still.
  std::size_t shards = 16;
};

struct MemoryStats {
  std::size_t entries = 0;
  std::size_t capacity = 0;
  std::uint64_t evictions = 0;  // since the start
};

class MemoryLayer final : public layers::Layer,
                          public layers::Fillable,
                          public layers::Removable,
                          public feed::Listener {
 public:
  // `view` outlives the layer.
  MemoryLayer(const MemoryOptions& options, const feed::View& view);
  ~MemoryLayer() override;

  [[nodiscard]] std::string_view name() const override { return "memory"; }
  void read(std::span<const domain::Key> keys, std::span<layers::Answer> answers,
            const layers::ReadContext& context, layers::Done done) override;
  // A copy of another incarnation than the one held replaces it, whatever its version: nobody
  // offers one of an incarnation that he knows to be over.
  void offer(std::span<const domain::Key> keys, std::span<const domain::Reading> readings) override;

  // As read(), but it makes no key more worth keeping: for those who only look.
  void peek(std::span<const domain::Key> keys, std::span<layers::Answer> answers) const;

  void remove(std::span<const domain::Key> keys,
              absl::AnyInvocable<void(absl::Status)> done) override;
  void clear();

  // Of the feed: forgets everything; updates what is held.
  void began() override { clear(); }
  void moved(std::span<const feed::Move> moves) override;

  [[nodiscard]] MemoryStats stats() const;

 private:
  struct Shard;
  [[nodiscard]] Shard& shard_of(std::size_t hash) const;
  // Calls `use` with the index, the key and the locked shard of each of `items`, keys or moves.
  template <typename Items, typename Use>
  void each(const Items& items, Use use) const;

  const feed::View& view_;
  std::vector<std::unique_ptr<Shard>> shards_;
};

// The same copies for a reader beside the read path, such as the auditor: what it looks at stays as
// likely to be evicted as before. Does not own `memory`, which must outlive it.
class PeekLayer final : public layers::Layer {
 public:
  explicit PeekLayer(const MemoryLayer& memory) : memory_(memory) {}

  [[nodiscard]] std::string_view name() const override { return memory_.name(); }
  void read(std::span<const domain::Key> keys, std::span<layers::Answer> answers,
            const layers::ReadContext& context, layers::Done done) override;

 private:
  const MemoryLayer& memory_;
};

}  // namespace stock::memory
