// Keeps the incidents: takes what the auditor finds, writes what comes of it, and knows what other
// processes wrote.
//
// The auditor only leaves notes, one per witness and key, the last of each; a thread of its own
// takes them `interval` by `interval`, decides by the docket under a lock that all processes share,
// and writes. While the database cannot be asked, notes wait, at most kMaxNotes of them; what finds
// no room is found again. Every process follows all incidents by their revisions, and begins anew
// in another incarnation of the ledger, which may have lost some.
//
// What stands open is looked at again: the keys go to the auditor, also those that another process
// or an earlier life of this one found. Those of shared layers are the leader's to look at.
//
// Witnesses outside are not asked: they testify. A lie of theirs is told no more when they say
// otherwise, or when nothing was heard of it for ten minutes. So is one of a layer that is not in
// use any more, which nobody looks at.
//
// Only when an incident is on record are its copies repaired, as the layer's policy says.
//
// Thread-safe. Everything passed in outlives it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "stock/clock/database_clock.h"
#include "stock/clock/local_clock.h"
#include "stock/drift/auditor.h"
#include "stock/drift/incident_board.h"
#include "stock/drift/incident_store.h"
#include "stock/drift/key_inbox.h"
#include "stock/drift/testimony_desk.h"

namespace stock::drift {

// Called from the keeper's thread. Must not block.
class IncidentObserver {
 public:
  virtual ~IncidentObserver() = default;
  // By this process.
  virtual void opened(const Incident& incident) = 0;
  virtual void closed(const Incident& incident) = 0;
  // Incidents could not be read or written.
  virtual void failed(const absl::Status& why) = 0;
};

class IncidentKeeper final : public Auditor::Listener, public TestimonyListener {
 public:
  static constexpr std::size_t kMaxNotes = 4096;

  struct Witness {
    std::string layer;
    bool shared = false;
  };
  struct Options {
    std::vector<Witness> witnesses;  // in the auditor's order
    std::string instance;
    std::chrono::microseconds max_staleness = std::chrono::seconds(5);
    std::chrono::milliseconds retention = std::chrono::hours(24 * 30);
    std::chrono::milliseconds interval{250};
    // A process that was not heard of for so long is gone.
    std::chrono::microseconds gone_after = std::chrono::minutes(1);
    // And so is a witness outside, of these.
    std::vector<std::string> roster = {};
    std::chrono::microseconds silent_after = std::chrono::minutes(10);
    std::function<bool()> leads = [] { return true; };
    // Lies of a layer that are on record. Called on the keeper's thread; may block.
    std::function<void(const std::string& layer, std::span<const domain::Key> keys)> recorded =
        [](const std::string&, std::span<const domain::Key>) {};
  };

  // `suspects`: where keys that are to be looked at again are put.
  IncidentKeeper(Options options, IncidentStore& store, IncidentBoard& board, KeyInbox& suspects,
                 const clock::DatabaseClock& database_clock, const clock::LocalClock& clock,
                 IncidentObserver& observer);
  // Waits for the statement that is under way.
  ~IncidentKeeper() override;
  IncidentKeeper(const IncidentKeeper&) = delete;
  IncidentKeeper& operator=(const IncidentKeeper&) = delete;

  void found(std::size_t layer, const domain::Key& key, const Finding& finding) override;
  // What came late says nothing of what its witness tells now.
  void judged(const Told& told, const Judged& judged) override;

 private:
  [[nodiscard]] bool nobody_lies();
  void note(Sighting sighting);
  [[nodiscard]] bool is_outside(const Teller& teller) const;
  [[nodiscard]] bool is_examined(const Teller& teller) const;
  using Notes = std::map<Teller, Sighting>;

  void run();
  absl::Status turn();
  absl::Status decide(const Notes& notes);
  absl::Status follow();
  absl::Status take_changes(std::int64_t since);
  void look_again();
  void repair(const Notes& notes);
  [[nodiscard]] std::string name_of(std::size_t witness) const;

  const Options options_;
  IncidentStore& store_;
  IncidentBoard& board_;
  KeyInbox& suspects_;
  const clock::DatabaseClock& database_clock_;
  const clock::LocalClock& clock_;
  IncidentObserver& observer_;
  // The thread's.
  domain::LocalTime pruned_at_{};
  domain::LocalTime looked_at_{};
  domain::Key looked_through_;    // where looking again has come to
  domain::LocalTime able_since_;  // to hear of other processes

  std::mutex mutex_;  // guards the rest
  std::condition_variable wake_;
  Notes notes_;
  std::map<Teller, SoldWindow> sold_;  // of the last lie about units sold
  std::set<Teller> standing_;  // in any open incident, or told of by a note that is being written
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace stock::drift
