#include "stock/telemetry/thread_slot.h"

#include <array>
#include <mutex>

namespace stock::telemetry::internal {
namespace {

// Neither has a destructor that runs: threads may end after the statics of this file.
constinit std::mutex mutex;
constinit std::array<bool, kOwnedSlots> taken{};

int take() {
  const std::lock_guard lock(mutex);
  for (int slot = 0; slot < kOwnedSlots; ++slot) {
    if (!taken[slot]) {
      taken[slot] = true;
      return slot;
    }
  }
  return kSharedSlot;
}

void give_back(int slot) {
  if (slot == kSharedSlot) {
    return;
  }
  // The lock also orders this thread's last writes before the next owner's first read.
  const std::lock_guard lock(mutex);
  taken[slot] = false;
}

struct Owner {
  const int slot = take();

  Owner() = default;
  Owner(const Owner&) = delete;
  Owner& operator=(const Owner&) = delete;
  ~Owner() {
    thread_slot = kSharedSlot;
    give_back(slot);
  }
};

}  // namespace

int claim_thread_slot() {
  thread_local Owner owner;
  thread_slot = owner.slot;
  return thread_slot;
}

}  // namespace stock::telemetry::internal
