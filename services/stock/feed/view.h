// What a process knows of the ledger by its feed: the watermark and the table of recent moves, and
// the judgement of copies by them (rule.h).
//
// One thread, the tail's, writes; any thread reads, without waiting and without a lock (but for
// shows(), where it has to look at a snapshot's running transactions). Memory is fixed: 40 bytes
// per slot.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "stock/clock/published.h"
#include "stock/domain/key.h"
#include "stock/domain/reading.h"
#include "stock/domain/snapshot.h"
#include "stock/feed/large_pages.h"
#include "stock/feed/move.h"
#include "stock/feed/rule.h"
#include "stock/feed/watermark.h"

namespace stock::feed {

[[nodiscard]] Fingerprint fingerprint(const domain::Key& key);

class View {
 public:
  // Slots are rounded up to a power of two. 0: there is no feed, and every copy is true through its
  // own date.
  explicit View(std::size_t slots);

  [[nodiscard]] bool has_feed() const { return !slots_.empty(); }
  [[nodiscard]] Watermark watermark() const { return watermark_.load(); }

  // What the copies of one answer are judged by: a watermark, loaded before any of their slots.
  struct Moment {
    std::uint64_t emptied = 0;
    Watermark watermark;
    domain::Incarnation opened = 0;  // 0: nothing is current
    domain::HeartbeatNumber h0 = 0;
  };
  [[nodiscard]] Moment now() const;

  // Judges a copy and, where it is current, dates it by the moment's watermark. A copy of another
  // incarnation than the feed's keeps its own date.
  Standing judge(const Moment& moment, const Fingerprint& key, domain::Reading& reading) const;
  // Has the processor fetch what that will look at, while something else is done. Only with a feed.
  void prefetch(const Fingerprint& key) const;

  // The copy as if it had been read by the poll of the watermark, if it is current: with that
  // poll's stamp and heartbeat. False, and untouched, else.
  [[nodiscard]] bool renew(const domain::Key& key, domain::Reading& reading) const;

  // Whether a copy may be held and kept current by the moves that come: it is current now, or there
  // is no feed and it will be judged by its own date. The caller holds the lock under which moves
  // of this key are applied to what it holds.
  [[nodiscard]] bool admits(const domain::Key& key, const domain::Reading& reading) const;

  // Whether what is true through the watermark shows this transaction, for every watermark that is
  // loaded afterwards within the incarnation: ask first, then judge.
  [[nodiscard]] bool shows(const domain::Transaction& transaction) const;

  // The tail's thread only, in this order: begin; record what moved since heartbeat h0; open; and
  // then again and again: record, publish.
  //
  // Forgets everything; until open() nothing is current.
  void begin();
  void record(std::span<const Move> moves, domain::HeartbeatNumber since);
  void open(domain::Incarnation incarnation, domain::HeartbeatNumber h0);
  void publish(const Watermark& watermark, std::shared_ptr<const domain::Snapshot> snapshot);

 private:
  struct Opening {
    domain::Incarnation incarnation = 0;  // 0: not open
    domain::HeartbeatNumber h0 = 0;
  };

  void write(const Fingerprint& key, domain::Version version, domain::HeartbeatNumber since);
  [[nodiscard]] Standing look(const Moment& moment, const Fingerprint& key,
                              const domain::Reading& reading) const;
  using Place = clock::Published<Slot>;
  [[nodiscard]] const Place& place_of(const Fingerprint& key) const {
    return slots_[key.low & (slots_.size() - 1)];
  }

  std::vector<Place, LargePages<Place>> slots_;
  clock::Published<Opening> opening_;
  clock::Published<Watermark> watermark_;
  // Goes up when the table is emptied: what was judged meanwhile may have missed its slot.
  std::atomic<std::uint64_t> emptied_{0};

  mutable std::mutex snapshot_mutex_;
  std::shared_ptr<const domain::Snapshot> snapshot_;  // the watermark's
  domain::Incarnation snapshot_incarnation_ = 0;
};

}  // namespace stock::feed
