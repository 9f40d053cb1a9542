// Which ledger this process serves, and which of its histories it currently believes in. Copies of
// another incarnation are void: the same versions may mean something else there.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

#include "stock/domain/reading.h"
#include "stock/domain/time.h"

namespace stock::feed {

// Thread-safe. Written by whoever talks to the primary, read by everyone who judges a copy.
class LedgerIdentity {
 public:
  // 0 until a database has said so.
  [[nodiscard]] domain::Incarnation current() const {
    return incarnation_.load(std::memory_order_acquire);
  }
  enum class Heard {
    kKnown,    // so it is, or nothing was known
    kAnother,  // this ends the one that was believed in
    kFormer,   // not to be believed
  };
  struct Belief {
    Heard heard = Heard::kKnown;
    std::uint64_t history = 0;  // numbers the incarnations that are believed in, upwards
  };
  // A primary said so, over a connection that was begun at `connected_at`; heard by `now`. What is
  // believed in was heard of at some instant: of another one only a connection begun since then can
  // tell. An older one may lead to a former primary that still runs, while the address leads to the
  // one that took its place.
  Belief primary_says(domain::Incarnation incarnation,
                      domain::LocalTime connected_at = domain::LocalTime::max(),
                      domain::LocalTime now = domain::LocalTime::min()) {
    const std::lock_guard lock(mutex_);
    const domain::Incarnation before = current();
    if (before == incarnation) return {Heard::kKnown, history_};
    if (before != 0 && connected_at <= heard_at_) return {Heard::kFormer, history_};
    heard_at_ = now;
    incarnation_.store(incarnation, std::memory_order_release);
    return {before == 0 ? Heard::kKnown : Heard::kAnother, ++history_};
  }
  // What primary_says() would find, without believing it.
  [[nodiscard]] bool is_former(domain::Incarnation incarnation, domain::LocalTime connected_at) {
    const std::lock_guard lock(mutex_);
    const domain::Incarnation known = current();
    return known != 0 && known != incarnation && connected_at <= heard_at_;
  }
  // The primary's clock was set while the ledger was in this incarnation, whose dates have two
  // meanings since: whoever leads ends it.
  void clock_was_set(domain::Incarnation incarnation) {
    clock_set_in_.store(incarnation, std::memory_order_release);
  }
  // 0: in none.
  [[nodiscard]] domain::Incarnation clock_set_in() const {
    return clock_set_in_.load(std::memory_order_acquire);
  }
  // A standby said so: good enough as long as no primary has spoken, and any may contradict.
  void standby_says(domain::Incarnation incarnation) {
    domain::Incarnation unknown = 0;
    incarnation_.compare_exchange_strong(unknown, incarnation, std::memory_order_acq_rel);
  }

  // The ledger's own name, the same through all its incarnations. 0 until the primary has said so.
  [[nodiscard]] std::uint64_t ledger() const { return ledger_.load(std::memory_order_acquire); }
  void ledger_is(std::uint64_t ledger) { ledger_.store(ledger, std::memory_order_release); }

 private:
  std::atomic<std::uint64_t> ledger_{0};
  std::atomic<domain::Incarnation> incarnation_{0};
  std::atomic<domain::Incarnation> clock_set_in_{0};
  std::mutex mutex_;
  std::uint64_t history_ = 0;                              // guarded by mutex_
  domain::LocalTime heard_at_ = domain::LocalTime::min();  // of the current one; guarded by mutex_
};

}  // namespace stock::feed
