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

bool says(const Reading& reading, const VersionFact& fact) {
  return reading.exists == fact.exists && (!fact.exists || reading.counts == fact.counts);
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

Judgement divergence(Verdict verdict, const Reading& reading, std::int64_t versions,
                     const KeyHistory& history) {
  const VersionFact& truth = history.current;
  return {.verdict = verdict,
          .units = available(reading) - (truth.exists ? truth.counts.available() : 0),
          .versions = versions};
}

// The claim says what `version` was, and that is not the newest.
Judgement judge_superseded(const Claim& claim, Version version, const KeyHistory& history) {
  // Commits are in the order of versions. When the successor itself is not known any more, the next
  // one that is was committed later still.
  const auto next = history.versions.upper_bound(version);
  const bool kept = next != history.versions.end();
  const Version superseding = kept ? next->first : history.newest;
  const DatabaseTime at = kept ? next->second.committed_at : history.current.committed_at;
  if (at <= claim.asked_earliest) {
    Judgement judgement =
        divergence(Verdict::kStale, claim.answer.reading, history.newest - version, history);
    judgement.age = claim.asked_earliest - at;
    return judgement;
  }
  const bool true_when_asked = superseding == version + 1 && at > claim.asked_latest;
  return {.verdict = true_when_asked ? Verdict::kCurrent : Verdict::kInconclusive};
}

// A level of which no version is claimed.
Judgement judge_by_counts(const Claim& claim, const KeyHistory& history) {
  const Reading& reading = claim.answer.reading;
  if (says(reading, history.current)) return {.verdict = Verdict::kCurrent};
  for (auto it = history.versions.rbegin(); it != history.versions.rend(); ++it) {
    if (it->first < history.newest && says(reading, it->second)) {
      return judge_superseded(claim, it->first, history);
    }
  }
  return divergence(Verdict::kNeverTrue, reading, 0, history);
}

}  // namespace

std::string_view verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kCurrent:
      return "current";
    case Verdict::kStale:
      return "stale";
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
  }
  return "unknown";
}

bool diverges(Verdict verdict) {
  return verdict == Verdict::kStale || verdict == Verdict::kNeverTrue ||
         verdict == Verdict::kWrongCount || verdict == Verdict::kAhead;
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
  if (behind < 0) return divergence(Verdict::kAhead, reading, behind, history);
  const std::optional<VersionFact> fact = fact_of(version, history);
  if (!fact) return {.verdict = Verdict::kInconclusive};
  if (!says(reading, *fact)) return divergence(Verdict::kWrongCount, reading, behind, history);
  if (behind == 0) return {.verdict = Verdict::kCurrent};
  return judge_superseded(claim, version, history);
}

}  // namespace stock::drift
