// What a witness outside the service believes of a key, and when it said so by the database's
// clock. Pure.
//
// A witness's clock is its own: nothing of it is believed but differences. When a testimony was
// sent lies between what its clock suggests, where that is known well enough (witness_clocks.h),
// and its arrival; all its other instants are understood relative to that. An old report that comes
// late is judged by its own date, and so does not become news by being sent again.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "stock/domain/key.h"
#include "stock/domain/level.h"
#include "stock/domain/time.h"
#include "stock/drift/history.h"
#include "stock/drift/verdict.h"

namespace stock::drift {

// By a witness's own clock, whatever that reads.
struct WitnessTimescale {
  using rep = std::int64_t;
  using period = std::micro;
  using duration = std::chrono::microseconds;
  using time_point = std::chrono::time_point<WitnessTimescale>;
};
using WitnessTime = WitnessTimescale::time_point;

// Units sold in [from, until), by when they were committed to the database.
struct SoldWindow {
  domain::DatabaseTime from;
  domain::DatabaseTime until;
  friend bool operator==(const SoldWindow&, const SoldWindow&) = default;
};

struct Testimony {
  std::string witness;   // of the roster
  std::string instance;  // which of them; empty: there is but one
  domain::Key key;       // of a claim of sold units the location may be empty: all
  std::string cohort;

  Extent extent = Extent::kCounts;
  bool exists = true;       // false: it claims that there is no such level
  domain::Counts counts;    // by the extent
  SoldWindow window;        // of sold units
  domain::Version version;  // below 1: it claims none

  std::optional<WitnessTime> sent_at;
  std::optional<WitnessTime> believed_since;
  std::optional<WitnessTime> true_through;
  std::optional<std::chrono::microseconds> age;  // when it was sent

  // As of when it is claimed, before it was sent: 0 if it is claimed to be so still. A date in the
  // future of its own sending says no more than that.
  [[nodiscard]] std::chrono::microseconds claimed_age() const;
};

// How far a clock is ahead of the database's, to within the uncertainty.
struct Skew {
  std::chrono::microseconds ahead{0};
  std::chrono::microseconds uncertainty{0};
};

// Between two readings of the database's clock.
struct Span {
  domain::DatabaseTime earliest;
  domain::DatabaseTime latest;
};

// A testimony's dates by the database's clock.
struct Dates {
  Span arrived;
  Span sent;
  // Not before this instant does it claim to hold. Nothing: nobody can say, so that it cannot be
  // misdated.
  std::optional<domain::DatabaseTime> through_earliest;
  domain::DatabaseTime through_latest;
  std::optional<Skew> skew;  // of the witness's clock, when it arrived

  // It had been sent long before it arrived: it says nothing of what its witness believes now.
  [[nodiscard]] bool late() const;
};

// What takes longer than this to arrive was held up, if its witness's clock can tell.
inline constexpr std::chrono::seconds kTransit{5};

// `skew`: of the witness's clock, as far as it is known; ignored where the testimony does not say
// when it was sent. One that does not claims that it has just been.
Dates date(const Testimony& testimony, const Span& arrived, const std::optional<Skew>& skew);

// What it says, as it would have been answered by a layer that was asked when it was sent.
Claim claim_of(const Testimony& testimony, const Dates& dates);

// Of a claim about a level. `history` answers for the claimed version, or else for the newest ones
// that were so when it was sent, and at all.
Judgement judge(const Testimony& testimony, const Dates& dates, const KeyHistory& history);
// The same, of what is still its last word at `now`: what it says then is what it said.
Judgement judge_now(const Testimony& testimony, const Dates& dates, const Span& now,
                    const KeyHistory& history);

// Up to when sold units had to be known to the witness.
domain::DatabaseTime sold_through(const Dates& dates);

// Whether a finding opens an incident: a lie; or being behind, where it was claimed to be so still
// for longer than `max_staleness`.
bool opens_incident(const Testimony& testimony, const Dates& dates, const Judgement& judgement,
                    std::chrono::microseconds max_staleness);

}  // namespace stock::drift
