// Tells everybody who listens what witnesses outside were judged to say: the metrics always, the
// rooms that are made when the service starts from then on, and until it stops.
#pragma once

#include <mutex>
#include <utility>
#include <vector>

#include "stock/drift/testimony_desk.h"

namespace stockd {

// Thread-safe: one mutex, held while they are told, so that who was taken off is told no more.
class TestimonyRelay final : public stock::drift::TestimonyListener {
 public:
  explicit TestimonyRelay(stock::drift::TestimonyListener& always) : always_(always) {}

  // Replaces those from before.
  void begin(std::vector<stock::drift::TestimonyListener*> listeners) {
    const std::lock_guard lock(mutex_);
    listeners_ = std::move(listeners);
  }
  void judged(const stock::drift::Told& told, const stock::drift::Judged& judged) override {
    always_.judged(told, judged);
    const std::lock_guard lock(mutex_);
    for (stock::drift::TestimonyListener* listener : listeners_) listener->judged(told, judged);
  }

 private:
  stock::drift::TestimonyListener& always_;
  std::mutex mutex_;
  std::vector<stock::drift::TestimonyListener*> listeners_;
};

}  // namespace stockd
