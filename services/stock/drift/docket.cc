#include "stock/drift/docket.h"

#include <algorithm>
#include <set>
#include <utility>

namespace stock::drift {
namespace {

using domain::DatabaseTime;

bool same_claim(const Finding& one, const Finding& other) {
  const domain::Reading& a = one.claim.answer.reading;
  const domain::Reading& b = other.claim.answer.reading;
  return one.claim.extent == other.claim.extent && a.version == b.version && a.exists == b.exists &&
         a.counts == b.counts;
}

bool same_group(const Incident& incident, const Sighting& sighting) {
  return incident.layer == sighting.layer &&
         incident.finding.judgement.verdict == sighting.finding.judgement.verdict;
}

bool tells(const Incident& incident, const Sighting& sighting) {
  if (incident.grouped) return same_group(incident, sighting);
  return incident.key == sighting.teller.key && same_claim(incident.finding, sighting.finding);
}

void add_witness(Incident& incident, const std::string& witness) {
  if (std::ranges::find(incident.witnesses, witness) == incident.witnesses.end()) {
    incident.witnesses.push_back(witness);
  }
}

// In the order of keys, so that it can be searched.
bool add_standing(Incident& incident, const Teller& teller) {
  const auto at = std::ranges::lower_bound(incident.standing, teller);
  if ((at != incident.standing.end() && *at == teller) ||
      incident.standing.size() >= kMaxStanding) {
    return false;
  }
  incident.standing.insert(at, teller);
  return true;
}

bool tells_of(const Incident& incident, const domain::Key& key) {
  return std::ranges::find(incident.standing, key, &Teller::key) != incident.standing.end();
}

}  // namespace

bool opens_incident(std::string_view layer, const Judgement& judgement,
                    std::chrono::microseconds max_staleness) {
  switch (judgement.verdict) {
    case Verdict::kMisdated:
    case Verdict::kNeverTrue:
    case Verdict::kWrongCount:
    case Verdict::kAhead:
      return true;
    case Verdict::kStale:
      return (layer == "memory" || layer == "replica") && judgement.age > max_staleness;
    default:
      return false;
  }
}

bool shows_recovery(Verdict verdict) {
  return verdict == Verdict::kCurrent || verdict == Verdict::kAbsent || verdict == Verdict::kStale;
}

std::int64_t Incident::keys_open() const {
  std::set<domain::Key> keys;
  for (const Teller& teller : standing) keys.insert(teller.key);
  return std::ssize(keys);
}

Docket::Docket(std::vector<Incident> open) {
  entries_.reserve(open.size());
  for (Incident& incident : open) {
    std::ranges::sort(incident.standing);
    entries_.push_back({.incident = std::move(incident)});
  }
}

void Docket::saw(const Sighting& sighting) {
  Entry* const before = standing(sighting.teller);
  if (before != nullptr) {
    if (sighting.lies && tells(before->incident, sighting)) return join(*before, sighting);
    leave(*before, sighting.teller, sighting.at);
  }
  if (!sighting.lies) return;
  // An incident of the very same claim goes before one of its kind.
  std::vector<Entry*> alike;
  Entry* of_group = nullptr;
  for (Entry& entry : entries_) {
    Incident& incident = entry.incident;
    if (!incident.open()) continue;
    if (!incident.grouped && tells(incident, sighting)) return join(entry, sighting);
    if (!same_group(incident, sighting)) continue;
    if (incident.grouped) of_group = &entry;
    alike.push_back(&entry);
  }
  if (of_group == nullptr && alike.size() >= kOwn) {
    of_group = alike.front();
    group(*of_group, {alike.begin() + 1, alike.end()}, sighting.at);
  }
  if (of_group != nullptr) return join(*of_group, sighting);
  open(sighting);
}

bool Docket::is_of_process(const Teller& teller) {
  return teller.witness.find('@') != std::string::npos;
}

void Docket::forget_gone(DatabaseTime before, DatabaseTime now,
                         absl::FunctionRef<bool(const Teller&)> tellers) {
  for (Entry& entry : entries_) {
    if (!entry.incident.open() || entry.incident.last_seen_at >= before) continue;
    const std::vector<Teller> standing = entry.incident.standing;
    for (const Teller& teller : standing) {
      if (tellers(teller)) leave(entry, teller, now);
    }
  }
}

std::vector<Incident*> Docket::changed() {
  std::vector<Incident*> changed;
  for (Entry& entry : entries_) {
    if (entry.changed && !entry.absorbed) changed.push_back(&entry.incident);
  }
  return changed;
}

Docket::Entry* Docket::standing(const Teller& teller) {
  for (Entry& entry : entries_) {
    if (entry.incident.open() && std::ranges::binary_search(entry.incident.standing, teller)) {
      return &entry;
    }
  }
  return nullptr;
}

void Docket::leave(Entry& entry, const Teller& teller, DatabaseTime at) {
  Incident& incident = entry.incident;
  std::erase(incident.standing, teller);
  if (incident.standing.empty()) incident.closed_at = std::max(at, incident.opened_at);
  entry.changed = true;
}

void Docket::join(Entry& entry, const Sighting& sighting) {
  Incident& incident = entry.incident;
  const bool known_key = tells_of(incident, sighting.teller.key);
  if (add_standing(incident, sighting.teller)) {
    if (!known_key) ++incident.keys;
    add_witness(incident, sighting.teller.witness);
    entry.changed = true;
  }
  if (sighting.at >= incident.last_seen_at + kSeenEvery) entry.changed = true;
  // What is written is exact; what is seen again meanwhile is not worth a write.
  if (entry.changed) incident.last_seen_at = std::max(incident.last_seen_at, sighting.at);
}

void Docket::group(Entry& into, const std::vector<Entry*>& others, DatabaseTime at) {
  Incident& group = into.incident;
  group.grouped = true;
  into.changed = true;
  for (Entry* other : others) {
    Incident& incident = other->incident;
    for (const std::string& witness : incident.witnesses) add_witness(group, witness);
    for (const Teller& teller : incident.standing) {
      const bool known_key = tells_of(group, teller.key);
      if (add_standing(group, teller) && !known_key) ++group.keys;
    }
    group.last_seen_at = std::max(group.last_seen_at, incident.last_seen_at);
    incident.standing.clear();
    incident.closed_at = std::max(at, incident.opened_at);
    incident.merged_into = group.id;
    other->changed = true;
    other->absorbed = incident.id == 0;
  }
}

void Docket::open(const Sighting& sighting) {
  Incident incident{.key = sighting.teller.key,
                    .layer = sighting.layer,
                    .finding = sighting.finding,
                    .witnesses = {sighting.teller.witness},
                    .standing = {sighting.teller},
                    .opened_at = sighting.at,
                    .last_seen_at = sighting.at};
  entries_.push_back({.incident = std::move(incident), .changed = true});
}

}  // namespace stock::drift
