// The keys that just moved, as the feed tells them.
//
// A listener of the tail, whose thread calls it; the auditor's thread takes. What moved before the
// feed began is not news. The clock outlives this.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "stock/clock/local_clock.h"
#include "stock/drift/key_inbox.h"
#include "stock/feed/tail.h"

namespace stock::drift {

class MovedKeys final : public feed::Listener {
 public:
  MovedKeys(std::size_t capacity, const clock::LocalClock& clock)
      : clock_(clock), inbox_(capacity) {}

  void began() override {
    follows_ = false;
    inbox_.clear();
  }
  void moved(std::span<const feed::Move> moves) override {
    if (!follows_) return;
    const domain::LocalTime now = clock_.now();
    for (const feed::Move& move : moves) inbox_.put(move.key, now);
  }
  void advanced(const feed::Watermark& /*watermark*/,
                const std::shared_ptr<const domain::Snapshot>& /*snapshot*/) override {
    follows_ = true;
  }

  [[nodiscard]] KeyInbox& inbox() { return inbox_; }

 private:
  const clock::LocalClock& clock_;
  bool follows_ = false;  // the tail's thread's
  KeyInbox inbox_;
};

}  // namespace stock::drift
