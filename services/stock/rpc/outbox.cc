#include "stock/rpc/outbox.h"

#include <utility>

namespace stock::rpc {

void Outbox::leave(Letter& letter) {
  leaving_.fetch_add(1, std::memory_order_relaxed);
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = first_ == nullptr;
    letter.next_ = nullptr;
    *end_ = &letter;
    end_ = &letter.next_;
  }
  // It has rung and been taken off the queue since it was set last: only then is there a first one.
  if (first) alarm_.Set(queue_, gpr_inf_past(GPR_CLOCK_MONOTONIC), static_cast<Event*>(this));
  leaving_.fetch_sub(1, std::memory_order_release);
}

void Outbox::happened(bool) {
  Letter* letter = nullptr;
  {
    const std::lock_guard lock(mutex_);
    letter = std::exchange(first_, nullptr);
    end_ = &first_;
  }
  while (letter != nullptr) std::exchange(letter, letter->next_)->send();
}

}  // namespace stock::rpc
