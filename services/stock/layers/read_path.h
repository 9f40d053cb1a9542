// Reading through the layers: asks them in order, judges what they say by the caller's requirement,
// tells the faster ones what the slower ones knew, and keeps the trail.
//
// Asynchronous end to end: no caller's thread ever waits for a layer. What memory holds is answered
// inline; the rest is finished on the thread of whichever layer answered last. Thread-safe;
// outlives its reads.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "stock/clock/database_clock.h"
#include "stock/clock/local_clock.h"
#include "stock/domain/freshness.h"
#include "stock/feed/attention.h"
#include "stock/feed/ledger_identity.h"
#include "stock/feed/view.h"
#include "stock/layers/layer.h"

namespace stock::layers {

// One layer's place in the path.
struct Stage {
  Layer* layer = nullptr;
  Fillable* fill = nullptr;    // when it takes offers
  bool authoritative = false;  // the ledger itself: serves fully consistent reads
  bool judged = false;         // dates its copies by the feed itself
};

// A copy, judged: by the feed (feed/rule.h); void: of another incarnation.
enum class Judgement : std::uint8_t { kCurrent, kSuperseded, kOwnStamp, kVoid, kCorrupt };
inline constexpr std::size_t kJudgements = 5;

// Counts what happens. Called on the threads of the read path; thread-safe and quick.
class ReadObserver {
 public:
  virtual ~ReadObserver() = default;
  // These keys are about to be read.
  virtual void asked(std::span<const domain::Key> keys) { (void)keys; }
  // A stage (by its index) was visited by one read.
  virtual void visited(std::size_t stage, const domain::Visit& visit) = 0;
  // So many levels were answered from a stage, all of that age.
  virtual void answered(std::size_t stage, std::chrono::microseconds age, std::int64_t levels) = 0;
  // What so many copies that a stage had were found to be.
  virtual void judged(std::size_t stage, Judgement judgement, std::int64_t copies) = 0;
};

// One read of distinct keys. The caller makes it, hands it to ReadPath::start() and keeps it alive
// until finished() is called, once; then it owns all of it again.
class Read {
 public:
  virtual ~Read() = default;
  virtual void finished() = 0;

  // In.
  absl::InlinedVector<domain::Key, 1> keys;
  domain::Requirement requirement;
  ReadContext context;

  // Out. When `status` is not OK, readings may be missing. UNAVAILABLE: no layer could answer
  // within the bound; `oldest` is then the age of the best answer there was, if there was one for
  // each key. RESOURCE_EXHAUSTED: the same, and a layer that might have was too busy.
  // FAILED_PRECONDITION: the ledger does not show the write that the answer has to show: that is
  // none of its past.
  absl::Status status;
  absl::InlinedVector<domain::Reading, 1> readings;  // one for one
  absl::InlinedVector<domain::Age, 1> ages;          // of these, when it was answered; if OK
  std::optional<domain::Age> oldest;
  bool bound_missed = false;  // allow_stale let something through
  domain::LocalTime answered_at;
  absl::InlinedVector<domain::Visit, 4> trail;  // in reading order

 private:
  friend class ReadPath;
  enum class State : std::uint8_t { kOpen, kCandidate, kAnswered };  // candidate: too old, so far

  absl::InlinedVector<State, 1> states_;
  absl::InlinedVector<std::size_t, 4> stage_of_;  // of each key's reading
  std::size_t open_ = 0;                          // keys without an answer
  bool shown_before_ = false;  // the feed showed the write before the layer was asked
  bool never_seen_ = false;    // the ledger itself does not show it
  bool reopened_ = false;
  domain::LocalTime asked_at_;
  // What the layer being asked is given and fills in: the keys that are still open.
  std::vector<domain::Key> asked_;
  absl::InlinedVector<std::size_t, 1> asked_index_;
  absl::InlinedVector<Answer, 1> answers_;
};

class ReadPath {
 public:
  ReadPath(std::vector<Stage> stages, const clock::LocalClock& clock,
           const clock::DatabaseClock& database_clock, const feed::LedgerIdentity& identity,
           const feed::View& view, feed::Attention& attention, ReadObserver& observer);

  void start(Read& read) const;

  [[nodiscard]] const std::vector<Stage>& stages() const { return stages_; }

  // Of a reading that this path gave.
  [[nodiscard]] std::optional<domain::Age> age(const domain::Reading& reading,
                                               domain::LocalTime now) const;

 private:
  void ask(Read& read, std::size_t stage) const;
  void told(Read& read, std::size_t stage, std::string detail) const;
  // One layer's answers, while they are judged.
  struct Hearing {
    std::size_t stage;
    feed::View::Moment moment;
    std::array<std::int64_t, kJudgements> copies{};  // how many were found to be what
  };
  void hear(Read& read, Hearing& hearing, domain::Visit& visit) const;
  domain::Outcome judge(Read& read, Hearing& hearing, const feed::Fingerprint& print,
                        std::size_t key, Answer& answer) const;
  std::optional<domain::Outcome> wants(Read& read, std::size_t stage, Judgement judgement,
                                       const Answer& answer) const;
  Judgement stand(Hearing& hearing, const feed::Fingerprint& print, domain::Reading& reading) const;
  [[nodiscard]] bool shows(const Read& read, std::size_t stage, Judgement judgement,
                           const Answer& answer) const;
  void renew(const Read& read, std::size_t stage) const;
  void fill(Read& read, std::size_t stage) const;
  bool reopen(Read& read) const;
  void finish(Read& read) const;
  void count_answers(const Read& read) const;

  const std::vector<Stage> stages_;
  const clock::LocalClock& clock_;
  const clock::DatabaseClock& database_clock_;
  const feed::LedgerIdentity& identity_;
  const feed::View& view_;
  feed::Attention& attention_;
  ReadObserver& observer_;
};

}  // namespace stock::layers
