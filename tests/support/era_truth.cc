#include "support/era_truth.h"

#include <algorithm>
#include <utility>

namespace stock::support {

using domain::DatabaseTime;
using domain::Key;
using domain::LocalTime;
using domain::Version;

EraTruth::EraTruth(const Era& era, const ClockBounds& clock) : era_(era), clock_(clock) {
  for (const auto& [key, movements] : era.ledger.movements) {
    KeyTruth& truth = keys_[key];
    truth.movements = &movements;
    truth.proofs.resize(movements.size());
    for (std::size_t i = 0; i < movements.size(); ++i) {
      if (movements[i].seen_by) truth.proofs[i].database = *movements[i].seen_by;
      if (!movements[i].request.empty()) {
        made_by_[movements[i].request].emplace_back(key, movements[i].version);
      }
    }
  }
}

void EraTruth::seen(const Key& key, Version version, LocalTime at) {
  const auto it = keys_.find(key);
  if (it == keys_.end() || version < 1) return;
  std::vector<Proof>& proofs = it->second.proofs;
  if (static_cast<std::size_t>(version) > proofs.size()) return;
  LocalTime& local = proofs[static_cast<std::size_t>(version - 1)].local;
  local = std::min(local, at);
}

void EraTruth::seal() {
  for (auto& [key, truth] : keys_) {
    // What shows one version of a transaction shows all that it made of the key.
    for (std::size_t i = 1; i < truth.proofs.size(); ++i) {
      if ((*truth.movements)[i].xid != (*truth.movements)[i - 1].xid) continue;
      truth.proofs[i].local = std::min(truth.proofs[i].local, truth.proofs[i - 1].local);
      truth.proofs[i].database = std::min(truth.proofs[i].database, truth.proofs[i - 1].database);
    }
    Proof later;
    for (std::size_t i = truth.proofs.size(); i-- > 0;) {
      Proof& proof = truth.proofs[i];
      if (proof.local != LocalTime::max()) {
        proof.database = std::min(proof.database, clock_.latest(proof.local));
      }
      proof.database = std::min(proof.database, later.database);
      proof.local = std::min(proof.local, later.local);
      later = proof;
    }
  }
}

const EraTruth::KeyTruth* EraTruth::find(const Key& key) const {
  const auto it = keys_.find(key);
  return it == keys_.end() ? nullptr : &it->second;
}

const LedgerMovement* EraTruth::movement(const Key& key, Version version) const {
  const KeyTruth* truth = find(key);
  if (truth == nullptr || version < 1) return nullptr;
  if (static_cast<std::size_t>(version) > truth->movements->size()) return nullptr;
  return &(*truth->movements)[static_cast<std::size_t>(version - 1)];
}

bool EraTruth::hidden(const Key& key, Version version) const {
  const LedgerMovement* made = movement(key, version);
  const LedgerMovement* next = movement(key, version + 1);
  return made != nullptr && next != nullptr && made->xid == next->xid;
}

std::optional<DatabaseTime> EraTruth::replaced_by(const Key& key, Version version) const {
  const KeyTruth* truth = find(key);
  if (truth == nullptr || static_cast<std::size_t>(version) >= truth->proofs.size()) {
    return std::nullopt;
  }
  const DatabaseTime proved = truth->proofs[static_cast<std::size_t>(version)].database;
  if (proved == DatabaseTime::max()) return std::nullopt;
  return proved;
}

Version EraTruth::newest_before(const Key& key, LocalTime at) const {
  const KeyTruth* truth = find(key);
  if (truth == nullptr) return 0;
  const DatabaseTime earliest = clock_.earliest(at);
  // Proofs come in order, so those that are early enough are the first ones.
  const auto first_open = std::ranges::partition_point(truth->proofs, [&](const Proof& proof) {
    return proof.local < at || proof.database < earliest;
  });
  return static_cast<Version>(first_open - truth->proofs.begin());
}

Version EraTruth::newest_before(const Key& key, DatabaseTime at) const {
  const KeyTruth* truth = find(key);
  if (truth == nullptr) return 0;
  const auto first_open = std::ranges::lower_bound(truth->proofs, at, {}, &Proof::database);
  return static_cast<Version>(first_open - truth->proofs.begin());
}

bool EraTruth::possible_at(const Key& key, Version version, DatabaseTime at) const {
  if (const LedgerMovement* made = movement(key, version); made != nullptr) {
    if (made->committed_at > at || hidden(key, version)) return false;
  } else if (version != 0) {
    return false;
  }
  const auto replaced = replaced_by(key, version);
  return !replaced || *replaced >= at;
}

std::vector<EraTruth::Candidate> EraTruth::candidates(const Key& key, DatabaseTime from,
                                                      DatabaseTime to, Version least) const {
  std::vector<Candidate> found;
  const KeyTruth* truth = find(key);
  const std::size_t n = truth == nullptr ? 0 : truth->movements->size();
  // Proofs come in order: version v was replaced by the proof of v + 1, which is at place v.
  const auto replaced = [&](std::size_t v) {
    return v < n ? truth->proofs[v].database : DatabaseTime::max();
  };
  auto v = static_cast<std::size_t>(std::max<Version>(least, 0));
  if (v < n) {
    const auto begin = truth->proofs.begin() + static_cast<std::ptrdiff_t>(v);
    const auto late = [&](const Proof& proof) { return proof.database < from; };
    v = static_cast<std::size_t>(std::partition_point(begin, truth->proofs.end(), late) -
                                 truth->proofs.begin());
  }
  for (; v <= n; ++v) {
    Candidate candidate{.until = replaced(v)};
    if (v > 0) {
      candidate.movement = &(*truth->movements)[v - 1];
      candidate.since = candidate.movement->committed_at;
      if (candidate.since > to) break;
      if (hidden(key, static_cast<Version>(v))) continue;
    }
    found.push_back(candidate);
  }
  return found;
}

std::int64_t EraTruth::visible_between(const Key& key, Version low, Version high) const {
  std::int64_t visible = 0;
  for (Version v = low + 1; v < high; ++v) visible += hidden(key, v) ? 0 : 1;
  return visible;
}

const EraTruth::Made* EraTruth::made_by(const std::string& request) const {
  const auto it = made_by_.find(request);
  return it == made_by_.end() ? nullptr : &it->second;
}

}  // namespace stock::support
