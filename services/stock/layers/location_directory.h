// The ids of all locations, kept in the process with their date like any other copy: a total over
// "all locations" is as old as the oldest of its parts, and this list is one of them.
//
// One refresh answers all who wait for it. A caller never joins one that was sent before he came,
// as it may lack what was created since; but when such a refresh comes back, and meets his bound,
// he takes it like any other copy.
//
// Thread-safe; one mutex, not held while a database or a caller is called. Outlives its calls.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "stock/clock/timers.h"
#include "stock/layers/catalogue_path.h"

namespace stock::layers {

class LocationDirectory {
 public:
  struct Snapshot {
    std::vector<std::string> ids;  // in order
    domain::DatabaseTime true_through;
    domain::Incarnation incarnation = 0;
    std::string_view layer;  // the database that said so
    // What each page that the list was read in shows.
    std::vector<std::shared_ptr<const domain::Snapshot>> pages;

    // Whether a location that this write created or used is in the list, if there is one.
    [[nodiscard]] bool shows(const domain::Transaction& write) const;
  };
  // Null with an error: UNAVAILABLE when no database can answer within the bound, DEADLINE_EXCEEDED
  // when none has answered in time, CANCELLED when the caller has gone.
  using Done = absl::AnyInvocable<void(absl::Status, std::shared_ptr<const Snapshot>)>;

  LocationDirectory(const CataloguePath& catalogue, clock::Timers& timers,
                    const clock::DatabaseClock& database_clock,
                    const feed::LedgerIdentity& identity);
  ~LocationDirectory();

  // Calls `done` at once when what is known meets the requirement, else when a database has
  // answered, and at the latest when the deadline has passed.
  void get(const domain::Requirement& requirement, const ReadContext& context, Done done);

 private:
  struct Waiter;
  struct Refresh;
  using Waiters = std::vector<std::shared_ptr<Waiter>>;

  // Those who require the same: nobody waits for what only another one requires.
  struct Lane {
    bool under_way = false;  // a refresh is
    Waiters waiting;         // for the next
  };
  using Requires = std::tuple<bool, bool, std::optional<std::chrono::microseconds>,
                              domain::Incarnation, domain::Xid>;
  static Requires lane_of(const domain::Requirement& requirement);

  // Sends the lane's next refresh, unless one is under way or nobody waits.
  void launch(const domain::Requirement& requirement);
  std::shared_ptr<Refresh> board(const domain::Requirement& requirement, Waiters& gone);
  void fetch(const std::shared_ptr<Refresh>& refresh);
  absl::Status add(LocationPage page, std::string_view layer, Snapshot& list) const;
  void landed(Refresh& refresh, const absl::Status& status,
              const std::shared_ptr<const Snapshot>& list);
  void expire(const std::shared_ptr<Waiter>& waiter);
  // With the mutex held: moves those who have not been answered to `told`, and nobody else answers
  // them.
  void settle(Waiters& waiters, Waiters& told);
  static void tell(const Waiters& told, const absl::Status& status,
                   const std::shared_ptr<const Snapshot>& list);

  [[nodiscard]] bool meets(const Snapshot& list, const domain::Requirement& requirement) const;
  // What is known of the ledger that is current; null when nothing is.
  std::shared_ptr<const Snapshot> known() const;
  void learn(std::shared_ptr<const Snapshot> list);

  const CataloguePath& catalogue_;
  clock::Timers& timers_;
  const clock::DatabaseClock& database_clock_;
  const feed::LedgerIdentity& identity_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Snapshot> known_;
  std::map<Requires, Lane> lanes_;  // those with somebody in them
};

}  // namespace stock::layers
