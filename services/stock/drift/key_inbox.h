// Keys that somebody wants looked at, until the auditor takes them: bounded, and what does not fit
// is dropped and counted, for whoever puts them here must not be held up.
//
// Thread-safe: one mutex, held for as long as it takes to copy a key.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "stock/domain/key.h"
#include "stock/domain/time.h"

namespace stock::drift {

// A key, and when it moved or was read.
struct NotedKey {
  domain::Key key;
  domain::LocalTime since;
};

class KeyInbox {
 public:
  explicit KeyInbox(std::size_t capacity) : capacity_(capacity) {}

  void put(const domain::Key& key, domain::LocalTime since) {
    const std::lock_guard lock(mutex_);
    if (keys_.size() < capacity_) {
      keys_.push_back({key, since});
    } else {
      ++dropped_;
    }
  }
  // Rather lost than waited for.
  void try_put(const domain::Key& key, domain::LocalTime since) {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (lock.owns_lock() && keys_.size() < capacity_) keys_.push_back({key, since});
  }

  // All of them, oldest first. A key may be among them more than once.
  [[nodiscard]] std::vector<NotedKey> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(keys_, {});
  }
  void clear() { (void)take(); }

  // Since the start.
  [[nodiscard]] std::uint64_t dropped() const {
    const std::lock_guard lock(mutex_);
    return dropped_;
  }

 private:
  const std::size_t capacity_;
  mutable std::mutex mutex_;
  std::vector<NotedKey> keys_;
  std::uint64_t dropped_ = 0;
};

}  // namespace stock::drift
