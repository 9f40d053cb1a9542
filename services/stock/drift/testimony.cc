#include "stock/drift/testimony.h"

#include <algorithm>

namespace stock::drift {
namespace {

using std::chrono::microseconds;

domain::DatabaseTime instant(WitnessTime time) {
  return domain::DatabaseTime(time.time_since_epoch());
}

// Its clock cannot be right if what it says became so only after it says that it was sent.
bool impossible(const Claim& claim, const Dates& dates, const KeyHistory& history) {
  const domain::Version version = claim.answer.reading.version;
  if (version < 1) return false;
  const auto fact = version == history.newest            ? &history.current
                    : history.versions.contains(version) ? &history.versions.at(version)
                                                         : nullptr;
  return fact != nullptr && fact->committed_at > dates.sent.latest;
}

bool is_new(domain::Version version, const KeyHistory& history) {
  if (version == history.newest) return history.current.is_new;
  const auto it = history.versions.find(version);
  return it != history.versions.end() && it->second.is_new;
}

Judgement judge_as(Claim claim, const Dates& dates, const Span& asked, const KeyHistory& history) {
  claim.answer.reading.incarnation = history.incarnation;
  claim.asked_earliest = asked.earliest;
  claim.asked_latest = asked.latest;
  if (impossible(claim, dates, history)) {
    claim.asked_latest = std::max(claim.asked_latest, dates.arrived.latest);
  }
  const Judgement judgement = compare(claim, history);
  // The witness cannot be asked once more, as a layer is: its successor may not have been visible
  // when it spoke.
  if (judgement.verdict == Verdict::kStale && is_new(judgement.superseded_by, history)) {
    return {.verdict = Verdict::kInconclusive};
  }
  if (!diverges(judgement.verdict) || claim.answer.reading.version > 0) return judgement;
  // It may be of a later version with a clock that is wrong, or of a commit that was just becoming
  // visible.
  claim.asked_latest = domain::DatabaseTime::max();
  if (diverges(compare(claim, history).verdict)) return judgement;
  return {.verdict = Verdict::kInconclusive};
}

}  // namespace

microseconds Testimony::claimed_age() const {
  if (age) return std::max(*age, microseconds(0));
  if (!true_through || !sent_at) return microseconds(0);
  return std::max(*sent_at - *true_through, microseconds(0));
}

bool Dates::late() const { return sent.latest + kTransit < arrived.earliest; }

Dates date(const Testimony& testimony, const Span& arrived, const std::optional<Skew>& skew) {
  Dates dates{.arrived = arrived,
              .sent = arrived,
              .through_earliest = std::nullopt,
              .through_latest = {},
              .skew = std::nullopt};
  const microseconds age = testimony.claimed_age();
  std::optional<domain::DatabaseTime> sent_after;
  if (!testimony.sent_at) {
    // Without it a date of its own says nothing, but an age does.
    if (testimony.age || !testimony.true_through) sent_after = arrived.earliest - kTransit;
  } else if (skew) {
    dates.skew = skew;
    const domain::DatabaseTime sent = instant(*testimony.sent_at) - skew->ahead;
    sent_after = std::min(sent - skew->uncertainty, arrived.earliest);
    dates.sent.latest = std::min(sent, arrived.latest);
    dates.sent.earliest = std::min(dates.sent.latest, arrived.earliest);
  } else {
    // Held up, or of a clock that is behind: who knows.
    dates.sent.earliest = std::min(instant(*testimony.sent_at), arrived.earliest);
  }
  if (sent_after) dates.through_earliest = *sent_after - age;
  dates.through_latest = dates.sent.latest - age;
  return dates;
}

Claim claim_of(const Testimony& testimony, const Dates& dates) {
  Claim claim{.answer = {.outcome = domain::Outcome::kHit, .reading = {}, .shows = nullptr},
              .asked_earliest = dates.sent.earliest,
              .asked_latest = dates.sent.latest,
              .extent = testimony.extent,
              .tells_dates = false};
  domain::Reading& reading = claim.answer.reading;
  reading.exists = testimony.exists;
  reading.counts = testimony.counts;
  // An absence in version 0 would claim that there never was a level.
  reading.version = testimony.version > 0 ? testimony.version : -1;
  reading.true_through = dates.through_earliest.value_or(domain::DatabaseTime());
  return claim;
}

Judgement judge(const Testimony& testimony, const Dates& dates, const KeyHistory& history) {
  return judge_as(claim_of(testimony, dates), dates, dates.sent, history);
}

Judgement judge_now(const Testimony& testimony, const Dates& dates, const Span& now,
                    const KeyHistory& history) {
  return judge_as(claim_of(testimony, dates), dates, now, history);
}

domain::DatabaseTime sold_through(const Dates& dates) {
  return dates.through_earliest.value_or(domain::DatabaseTime());
}

bool opens_incident(const Testimony& testimony, const Dates& dates, const Judgement& judgement,
                    microseconds max_staleness) {
  if (is_lie(judgement.verdict)) return true;
  return judgement.verdict == Verdict::kStale && dates.through_earliest && !dates.late() &&
         testimony.claimed_age() <= max_staleness && judgement.age > max_staleness + kTransit;
}

}  // namespace stock::drift
