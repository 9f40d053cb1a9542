// What databases can answer that is not by key: lists and histories. Beside Layer because caches
// cannot.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "stock/domain/key.h"
#include "stock/domain/movement.h"
#include "stock/domain/reading.h"
#include "stock/domain/reservation.h"
#include "stock/domain/snapshot.h"
#include "stock/layers/layer.h"

namespace stock::layers {

struct LevelQuery {
  std::string location;    // empty: all
  std::string sku_prefix;  // bytes; empty: all
  domain::Key after;  // begin behind this, in order of (location, sku); empty sku and location: at
                      // the start
  std::int32_t limit = 100;
};

struct LevelPage {
  std::vector<domain::Key> keys;
  std::vector<domain::Reading> readings;  // one for one
  bool more = false;
  domain::DatabaseTime true_through;  // of the page as a whole, also when it is empty
  domain::Incarnation incarnation = 0;
  std::shared_ptr<const domain::Snapshot> shows;  // as of an Answer
};

struct MovementQuery {
  domain::Key key;
  domain::Version before = 0;  // only versions below this; 0: from the newest
  std::int32_t limit = 100;
};

struct MovementPage {
  std::vector<domain::Movement> movements;  // newest first
  bool more = false;
  domain::DatabaseTime true_through;
  domain::Incarnation incarnation = 0;
  std::shared_ptr<const domain::Snapshot> shows;  // as of an Answer
};

struct LocationQuery {
  std::string id;     // only this one; empty: all
  std::string after;  // begin behind this id
  std::int32_t limit = 100;
};

struct LocationPage {
  std::vector<domain::Location> locations;  // in order of id
  bool more = false;
  domain::DatabaseTime true_through;
  domain::Incarnation incarnation = 0;
  std::shared_ptr<const domain::Snapshot> shows;  // as of an Answer
};

struct ReservationQuery {
  std::optional<domain::Uuid> id;                 // only this one
  std::optional<domain::ReservationState> state;  // a hold that has ended is expired
  std::optional<domain::Key> key;                 // only those with a line on it
  domain::Uuid after{};                           // begin behind this id
  std::int32_t limit = 100;
};

struct ReservationPage {
  std::vector<domain::Reservation> reservations;  // in order of id
  bool more = false;
  domain::DatabaseTime true_through;
  domain::Incarnation incarnation = 0;
  std::shared_ptr<const domain::Snapshot> shows;  // as of an Answer
};

// What was: at an instant of database time, or by its version.
struct PastQuery {
  std::vector<domain::Key> keys;  // distinct
  // The newest version of each key that was committed by then; else that of this number.
  std::optional<domain::DatabaseTime> at;
  domain::Version version = 0;
};

struct PastLevel {
  bool found = false;   // false: there is no such version yet, or not any more:
  bool pruned = false;  // the version that was asked for was pruned
  // True through the instant that was asked for; a version, through the commit of its successor, or
  // else through the date of the page.
  domain::Reading reading;
  // A reading of the clock after it was seen, so that it became true between as_of and then. The
  // epoch: not known.
  domain::DatabaseTime seen_by;
  // The instant that was asked for lies between, so that nobody can say whether this version or the
  // one before it was visible then.
  bool in_transition = false;
};

struct PastPage {
  std::vector<PastLevel> levels;  // one for one
  // Before it nothing is known for certain: what is said of such an instant is not to be used.
  // Nothing: no history was ever pruned.
  std::optional<domain::DatabaseTime> horizon;
  domain::DatabaseTime true_through;
  domain::Incarnation incarnation = 0;
  std::shared_ptr<const domain::Snapshot> shows;  // as of an Answer

  // Whether nothing can be added to it any more: another database might know more.
  [[nodiscard]] bool answers(const PastQuery& query) const {
    if (query.at) return *query.at <= true_through;
    return std::all_of(levels.begin(), levels.end(),
                       [](const PastLevel& l) { return l.found || l.pruned; });
  }
};

template <typename Page>
using PageDone = absl::AnyInvocable<void(absl::StatusOr<Page>)>;

// Thread-safe, never blocks; `done` is called exactly once, from any thread, at the latest when the
// deadline has passed (DEADLINE_EXCEEDED). Errors: UNAVAILABLE when the database cannot be reached,
// RESOURCE_EXHAUSTED when too many wait for it.
class Catalogue {
 public:
  virtual ~Catalogue() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;
  virtual void levels(LevelQuery query, const ReadContext& context, PageDone<LevelPage> done) = 0;
  virtual void movements(MovementQuery query, const ReadContext& context,
                         PageDone<MovementPage> done) = 0;
  virtual void locations(LocationQuery query, const ReadContext& context,
                         PageDone<LocationPage> done) = 0;
  virtual void reservations(ReservationQuery query, const ReadContext& context,
                            PageDone<ReservationPage> done) = 0;
  virtual void past(PastQuery query, const ReadContext& context, PageDone<PastPage> done) = 0;
};

}  // namespace stock::layers
