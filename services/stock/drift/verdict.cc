#include "stock/drift/verdict.h"

#include <algorithm>
#include <optional>

namespace stock::drift {
namespace {

using domain::Counts;
using domain::DatabaseTime;
using domain::Outcome;
using domain::Reading;
using domain::Version;

bool failed(Outcome outcome) {
  return outcome == Outcome::kError || outcome == Outcome::kTimeout ||
         outcome == Outcome::kBreakerOpen;
}

bool says(const Claim& claim, const VersionFact& fact) {
  const Reading& reading = claim.answer.reading;
  // Of what is not there nothing is available.
  const std::int64_t available = fact.exists ? fact.counts.available() : 0;
  switch (claim.extent) {
    case Extent::kAvailable:
      return reading.counts.on_hand == available;
    case Extent::kInStock:
      return (reading.counts.on_hand > 0) == (available > 0);
    default:
      return reading.exists == fact.exists && (!fact.exists || reading.counts == fact.counts);
  }
}

// A liar's counts may be anything; these cannot overflow.
std::int64_t available(const Reading& reading) {
  if (!reading.exists) return 0;
  const auto bounded = [](std::int64_t count) {
    return std::clamp(count, -domain::kMaxCount, domain::kMaxCount);
  };
  const Counts& counts = reading.counts;
  return Counts{.on_hand = bounded(counts.on_hand),
                .reserved = bounded(counts.reserved),
                .committed = bounded(counts.committed),
                .safety_stock = bounded(counts.safety_stock),
                .backorder_limit = bounded(counts.backorder_limit)}
      .available();
}

std::optional<VersionFact> fact_of(Version version, const KeyHistory& history) {
  if (version == history.newest) return history.current;
  if (version == 0) return VersionFact{};
  const auto it = history.versions.find(version);
  if (it == history.versions.end()) return std::nullopt;
  return it->second;
}

Judgement divergence(Verdict verdict, const Claim& claim, std::int64_t versions,
                     const KeyHistory& history) {
  const VersionFact& truth = history.current;
  Judgement judgement{.verdict = verdict, .versions = versions};
  if (claim.extent == Extent::kInStock) return judgement;  // it says nothing of units
  judgement.units = available(claim.answer.reading) - (truth.exists ? truth.counts.available() : 0);
  return judgement;
}

// Whether a version may be said to have been committed then, by somebody who is honest: a row that
// was copied within the second after it was written is dated by its copy.
bool may_be_of(DatabaseTime as_of, const VersionFact& fact, DatabaseTime asked) {
  constexpr std::chrono::seconds kCopied(1);
  if (as_of == fact.committed_at) return true;
  return as_of >= std::min(fact.written_at, fact.committed_at) - kCopied &&
         as_of <= fact.seen_by.value_or(asked) + kCopied;
}

// Nobody is told of the holds of a level that has none.
bool denies_holds(const Reading& reading, const VersionFact& fact) {
  return fact.counts.reserved > 0 && fact.earliest_expiry != DatabaseTime{} &&
         reading.earliest_expiry != fact.earliest_expiry;
}

// Of a claim of the version that `fact` is of. `successor`: null, of the newest.
std::optional<FalseDate> false_date(const Claim& claim, const VersionFact& fact,
                                    const VersionFact* successor, const KeyHistory& history) {
  const Reading& reading = claim.answer.reading;
  if (reading.true_through > claim.asked_latest) return FalseDate::kTrueThrough;
  if (claims_unknown_heartbeat(claim, history)) return FalseDate::kUnknownHeartbeat;
  if (successor != nullptr) {
    if (successor->seen_by && reading.true_through >= *successor->seen_by) {
      return FalseDate::kTrueThrough;
    }
    if (successor->shown_by && reading.heartbeat >= *successor->shown_by) {
      return FalseDate::kHeartbeat;
    }
  }
  if (!claim.tells_dates || reading.version < 1) return std::nullopt;
  if (!may_be_of(reading.as_of, fact, claim.asked_latest)) return FalseDate::kAsOf;
  if (denies_holds(reading, fact)) return FalseDate::kExpiry;
  return std::nullopt;
}

// One transaction made both: the first was never visible.
bool hides(const VersionFact& fact, const VersionFact& successor) {
  return fact.xid != 0 && fact.xid == successor.xid;
}

struct Successor {
  Version version = 0;
  VersionFact fact;
};

// Commits are in the order of versions. When the successor itself is not known any more, the next
// one that is was committed later still.
Successor successor_of(Version version, const KeyHistory& history) {
  const auto next = history.versions.upper_bound(version);
  if (next == history.versions.end()) return {history.newest, history.current};
  return {next->first, next->second};
}

// The claim says what `version` was, and that is not the newest.
Judgement judge_superseded(const Claim& claim, Version version, const VersionFact& fact,
                           const KeyHistory& history) {
  const Successor next = successor_of(version, history);
  const bool adjacent = next.version == version + 1;
  if (adjacent && hides(fact, next.fact)) {
    return divergence(Verdict::kNeverTrue, claim, history.newest - version, history);
  }
  const DatabaseTime over = next.fact.seen_by.value_or(next.fact.committed_at);
  const std::optional<FalseDate> misdated = false_date(claim, fact, &next.fact, history);
  Judgement judgement;
  if (misdated || over <= claim.asked_earliest) {
    judgement = divergence(misdated ? Verdict::kMisdated : Verdict::kStale, claim,
                           history.newest - version, history);
    judgement.age = std::max(claim.asked_earliest - over, std::chrono::microseconds(0));
    judgement.false_date = misdated;
  } else if (adjacent && next.fact.committed_at > claim.asked_latest) {
    judgement.verdict = Verdict::kCurrent;
  } else {
    judgement.verdict = Verdict::kInconclusive;
  }
  if (version > 0) judgement.true_from = fact.committed_at;
  if (adjacent) {
    judgement.true_until = next.fact.committed_at;
    judgement.superseded_by = next.version;
  }
  return judgement;
}

// The claim says what the newest version is.
Judgement judge_newest(const Claim& claim, const KeyHistory& history) {
  Judgement judgement{.verdict = Verdict::kCurrent};
  judgement.false_date = false_date(claim, history.current, nullptr, history);
  if (judgement.false_date) judgement.verdict = Verdict::kMisdated;
  if (history.newest > 0) judgement.true_from = history.current.committed_at;
  return judgement;
}

// No version is claimed. What became so only after it was asked is no excuse.
Judgement judge_by_counts(const Claim& claim, const KeyHistory& history) {
  const auto said_of = [&](const VersionFact& fact) {
    return fact.committed_at <= claim.asked_latest && says(claim, fact);
  };
  if (said_of(history.current)) return judge_newest(claim, history);
  for (auto it = history.versions.rbegin(); it != history.versions.rend(); ++it) {
    const auto& [version, fact] = *it;
    if (version >= history.newest || !said_of(fact)) continue;
    const Successor next = successor_of(version, history);
    if (next.version == version + 1 && hides(fact, next.fact)) continue;
    return judge_superseded(claim, version, fact, history);
  }
  if (history.oldest > 1) return {.verdict = Verdict::kUnverifiable};
  // Before the first version there was none.
  if (history.newest > 0 && says(claim, {})) return judge_superseded(claim, 0, {}, history);
  return divergence(Verdict::kNeverTrue, claim, 0, history);
}

}  // namespace

std::string_view verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kCurrent:
      return "current";
    case Verdict::kStale:
      return "stale";
    case Verdict::kMisdated:
      return "misdated";
    case Verdict::kNeverTrue:
      return "never_true";
    case Verdict::kWrongCount:
      return "wrong_count";
    case Verdict::kAhead:
      return "ahead";
    case Verdict::kAbsent:
      return "absent";
    case Verdict::kUnreachable:
      return "unreachable";
    case Verdict::kInconclusive:
      return "inconclusive";
    case Verdict::kUnverifiable:
      return "unverifiable";
    case Verdict::kForked:
      return "forked";
    case Verdict::kOvercounted:
      return "overcounted";
    case Verdict::kUndercounted:
      return "undercounted";
  }
  return "unknown";
}

std::string_view false_date_name(FalseDate date) {
  switch (date) {
    case FalseDate::kTrueThrough:
      return "true_through";
    case FalseDate::kUnknownHeartbeat:
      return "unknown_heartbeat";
    case FalseDate::kHeartbeat:
      return "heartbeat";
    case FalseDate::kAsOf:
      return "as_of";
    case FalseDate::kExpiry:
      return "expiry";
  }
  return "unknown";
}

bool diverges(Verdict verdict) {
  return verdict == Verdict::kStale || verdict == Verdict::kMisdated ||
         verdict == Verdict::kNeverTrue || verdict == Verdict::kWrongCount ||
         verdict == Verdict::kAhead || verdict == Verdict::kOvercounted ||
         verdict == Verdict::kUndercounted;
}

bool is_lie(Verdict verdict) { return diverges(verdict) && verdict != Verdict::kStale; }

bool claims_unknown_heartbeat(const Claim& claim, const KeyHistory& history) {
  return claim.answer.found() && claim.answer.reading.heartbeat > history.heartbeat;
}

Judgement compare(const Claim& claim, const KeyHistory& history) {
  if (!claim.answer.found()) {
    return {.verdict = failed(claim.answer.outcome) ? Verdict::kUnreachable : Verdict::kAbsent};
  }
  const Reading& reading = claim.answer.reading;
  if (reading.incarnation != history.incarnation) return {.verdict = Verdict::kInconclusive};
  const Version version = reading.version;
  if (version < 0 || (reading.exists && version == 0)) return judge_by_counts(claim, history);
  const std::int64_t behind = history.newest - version;
  if (behind < 0) return divergence(Verdict::kAhead, claim, behind, history);
  const std::optional<VersionFact> fact = fact_of(version, history);
  if (!fact) {
    return {.verdict = version < history.oldest ? Verdict::kUnverifiable : Verdict::kInconclusive};
  }
  if (!says(claim, *fact)) return divergence(Verdict::kWrongCount, claim, behind, history);
  if (behind == 0) return judge_newest(claim, history);
  return judge_superseded(claim, version, *fact, history);
}

Judgement judge_sold(std::int64_t claimed, const Sold& sold) {
  if (claimed > sold.at_most) {
    return {.verdict = Verdict::kOvercounted, .units = claimed - sold.at_most};
  }
  if (claimed < sold.at_least) {
    return {.verdict = Verdict::kUndercounted, .units = claimed - sold.at_least};
  }
  return {.verdict = Verdict::kCurrent};
}

bool found_something(Verdict verdict) { return verdict == Verdict::kCurrent || diverges(verdict); }

bool within(const Judgement& judgement, std::chrono::microseconds window) {
  switch (judgement.verdict) {
    case Verdict::kCurrent:
      return true;
    case Verdict::kStale:
    case Verdict::kMisdated:  // of the newest version too
      return judgement.versions == 0 || (window.count() > 0 && judgement.age <= window);
    default:
      return false;
  }
}

}  // namespace stock::drift
