// Compares the layers with the ledger, for as long as it lives: keys that just moved, keys that are
// being read, keys on which a layer is known to contradict the ledger, until it does not any more,
// and, in rounds, every key that has a level.
//
// Each process examines its own layers. Layers that all share are examined by the one that leads;
// the keys that are read here are examined in all layers, for others may not read them. Nothing
// false follows when two processes do the same, or when nobody leads. Only rounds of the one that
// leads are told of: the others' leave out most of what there is.
//
// It takes a share of the time: after asking for t it asks nothing more for t/share. What just
// moved or is read is looked at within a second all the same; there are bounded numbers of such
// keys in a pass, and the rest is dropped and counted. While nothing moves and nobody reads the
// rounds go on faster.
//
// All work is done on a thread of its own, but that of a round one step is judged by another thread
// while this one asks about the next. Everything passed in outlives the auditor.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "stock/clock/database_clock.h"
#include "stock/clock/local_clock.h"
#include "stock/domain/key.h"
#include "stock/drift/cross_examination.h"
#include "stock/drift/divergences.h"
#include "stock/drift/history.h"
#include "stock/drift/key_inbox.h"
#include "stock/drift/observer.h"
#include "stock/drift/read_sample.h"
#include "stock/drift/stretch.h"
#include "stock/layers/layer.h"
#include "stock/layers/walkable.h"

namespace stock::drift {

// A layer to examine. All processes share it, or each has its own.
struct Witness {
  layers::Layer* layer = nullptr;
  bool shared = false;
  // The same, where it can be gone through: then it names the keys of rounds, of one such witness.
  layers::Walkable* walkable = nullptr;
};

class Auditor {
 public:
  struct Options {
    std::chrono::nanoseconds interval = std::chrono::milliseconds(100);  // from pass to pass
    std::size_t keys_per_pass = 256;  // that moved, that were read, and that are suspect: of each
    int keys_per_step = 1000;         // of a round
    double budget = 0.02;             // share of the time spent asking; above 0, at most 1
    double idle_budget = 0.5;         // the same while nothing moves and nobody reads
    std::chrono::nanoseconds patience = std::chrono::seconds(1);  // with each witness
    std::size_t max_divergent_keys = 1000;                        // followed up, per layer
    Compare judge = &compare;                                     // gives the verdicts
    // Whether this process examines what all share. Called on the auditor's thread.
    std::function<bool()> leads = [] { return true; };
  };

  // Called on the auditor's thread, which waits for it. Outlives the auditor.
  class Listener {
   public:
    virtual ~Listener() = default;
    // What was found on one key.
    virtual void found(std::size_t layer, const domain::Key& key, const Finding& finding) = 0;
  };

  struct Sources {
    KeyInbox& moved;
    ReadSample& read;
    KeyInbox* suspects = nullptr;  // to be followed up besides what the auditor found itself
  };

  Auditor(Options options, std::vector<Witness> witnesses, Sources sources, HistorySource& history,
          const clock::DatabaseClock& database_clock, const clock::LocalClock& clock,
          Observer& observer, std::vector<Listener*> listeners = {});
  // Waits for no witness, and at most for what the history is asked about one step. A read that is
  // still under way ends in a buffer of its own.
  ~Auditor();
  // Begins to stop: from here on it tells of no failure. Any thread.
  void stop() { thread_.request_stop(); }
  Auditor(const Auditor&) = delete;
  Auditor& operator=(const Auditor&) = delete;

 private:
  // Keys to examine, each once, and since when that is due.
  using Batch = std::map<domain::Key, domain::LocalTime>;
  enum class Scope { kOwn, kAll };
  // Keys about which witnesses are asked, or will be.
  struct Step {
    domain::Key after;  // of a round: they come behind it
    std::vector<std::size_t> witnesses;
    std::shared_ptr<Stretch> stretch = nullptr;  // who is asked to name them; null: nobody
    std::size_t guide = 0;                       // that one, among the witnesses
    CrossExamination::Asked asked = nullptr;     // null: not yet, or there is nothing to ask about
    std::future<absl::StatusOr<CrossExamination::Findings>> findings = {};  // of what was asked

    [[nodiscard]] bool begun() const { return !witnesses.empty(); }
    [[nodiscard]] std::span<const domain::Key> keys() const {
      return asked ? std::span(asked->keys()) : std::span<const domain::Key>();
    }
  };

  void run(const std::stop_token& stop);
  absl::Status pass(const std::stop_token& stop);
  absl::Status examine_noted(Cause cause, std::vector<NotedKey> noted, Scope scope,
                             const std::stop_token& stop);
  absl::Status examine_suspects(const std::stop_token& stop);
  // Of the time.
  [[nodiscard]] double share() const;
  absl::Status go_round(Scope scope, const std::stop_token& stop);
  Step begin_step(const domain::Key& after, Scope scope) const;
  void ask(Step& step, std::vector<domain::Key> keys,
           std::optional<Inquiry::Made> made = std::nullopt) const;
  absl::Status ask_about(Step& step, Step& before, const std::stop_token& stop);
  void end_step(std::span<const domain::Key> keys);
  absl::Status examine(Cause cause, const Batch& batch, Scope scope, const std::stop_token& stop);
  [[nodiscard]] std::vector<std::size_t> witnesses_of(Scope scope) const;
  void judge(Step& step, const std::stop_token& stop, std::launch how);
  // `since`: one for one, or nothing.
  absl::Status record(Cause cause, Step& step, std::span<const domain::LocalTime> since);
  void record(std::size_t layer, const domain::Key& key, const Finding& finding,
              domain::LocalTime now, const domain::LocalTime* since);
  [[nodiscard]] double coverage() const;

  const Options options_;
  const std::vector<Witness> witnesses_;
  const Sources sources_;
  HistorySource& history_;
  const clock::LocalClock& clock_;
  Observer& observer_;
  const std::vector<Listener*> listeners_;
  // From here on: the thread's; but of what is judged at once by another, that one's meanwhile.
  CrossExamination examination_;
  std::vector<Divergences> divergences_;  // by layer
  bool idle_ = true;                      // in the last pass nothing moved and nobody read
  std::uint64_t lost_ = 0;                // keys that moved and found no room
  domain::Key last_suspect_;              // where following them up has come to
  domain::Key last_;                      // where the round has come to; empty: at the start
  std::size_t seen_ = 0;                  // keys of this round so far
  std::size_t round_keys_ = 0;            // of the last one
  bool whole_ = false;                    // all witnesses are asked, since the round began
  domain::LocalTime round_began_;
  domain::LocalTime round_due_;  // the next step of it
  std::jthread thread_;
};

}  // namespace stock::drift
