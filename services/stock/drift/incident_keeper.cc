#include "stock/drift/incident_keeper.h"

#include <algorithm>
#include <utility>

namespace stock::drift {
namespace {

constexpr std::int32_t kChanges = 500;  // read at a time
constexpr std::chrono::minutes kPruneEvery(1);
// So many keys are looked at again...
constexpr std::size_t kLookAtOnce = 200;
// ...so often.
constexpr std::chrono::seconds kLookEvery(1);

// Or the name of who tells it outside.
std::string layer_of(const Teller& teller) {
  return teller.witness.substr(0, teller.witness.find('@'));
}

}  // namespace

bool matches(const Incident& incident, const IncidentQuery& query) {
  return (!query.open_only || incident.open()) &&
         (query.layer.empty() ||
          std::ranges::any_of(incident.witnesses,
                              [&](const std::string& witness) {
                                return witness.substr(0, witness.find('@')) == query.layer;
                              })) &&
         (!query.verdict || incident.finding.judgement.verdict == *query.verdict) &&
         (query.sku.empty() || incident.key.sku == query.sku ||
          std::ranges::any_of(incident.standing,
                              [&](const Teller& teller) { return teller.key.sku == query.sku; }));
}

IncidentKeeper::IncidentKeeper(Options options, IncidentStore& store, IncidentBoard& board,
                               KeyInbox& suspects, const clock::DatabaseClock& database_clock,
                               const clock::LocalClock& clock, IncidentObserver& observer)
    : options_(std::move(options)),
      store_(store),
      board_(board),
      suspects_(suspects),
      database_clock_(database_clock),
      clock_(clock),
      observer_(observer),
      able_since_(clock.now()),
      thread_([this] { run(); }) {}

IncidentKeeper::~IncidentKeeper() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

// On the auditor's thread.
void IncidentKeeper::found(std::size_t layer, const domain::Key& key, const Finding& finding) {
  const std::string& name = options_.witnesses[layer].layer;
  const bool lies = opens_incident(name, finding.judgement, options_.max_staleness);
  if (!lies && (!shows_recovery(finding.judgement.verdict) || nobody_lies())) return;
  Sighting sighting{.teller = {.witness = name_of(layer), .key = key},
                    .layer = name,
                    .lies = lies,
                    .finding = {},
                    .at = finding.claim.asked_latest};
  if (lies) sighting.finding = finding;
  const std::lock_guard lock(mutex_);
  note(std::move(sighting));
}

// On the threads of whoever judges.
void IncidentKeeper::judged(const Told& told, const Judged& judged) {
  if (told.dates.late()) return;
  const Testimony& said = told.testimony;
  const Judgement& judgement = judged.finding.judgement;
  Sighting sighting{.teller = {.witness = said.witness + "@" + said.instance, .key = said.key},
                    .layer = said.witness,
                    .lies = opens_incident(said, told.dates, judgement, options_.max_staleness),
                    .finding = {},
                    .at = told.dates.arrived.latest};
  if (!sighting.lies && !shows_recovery(judgement.verdict)) return;
  if (sighting.lies) sighting.finding = judged.finding;
  const std::lock_guard lock(mutex_);
  if (said.extent == Extent::kSold) {
    // What it says of another window takes nothing back.
    const auto lie = sold_.find(sighting.teller);
    if (sighting.lies && (lie != sold_.end() || sold_.size() < kMaxNotes)) {
      sold_[sighting.teller] = said.window;
    } else if (lie != sold_.end()) {
      if (!(lie->second == said.window)) return;
      sold_.erase(lie);
    }
  }
  note(std::move(sighting));
}

// Then there is nothing to recover from, as nearly always.
bool IncidentKeeper::nobody_lies() {
  const std::lock_guard lock(mutex_);
  return standing_.empty() && notes_.empty();
}

// With the mutex held.
void IncidentKeeper::note(Sighting sighting) {
  const Teller& teller = sighting.teller;
  const bool known = notes_.contains(teller);
  if (!sighting.lies && !standing_.contains(teller) && !known) return;
  if (!known && notes_.size() >= kMaxNotes) return;
  // What it names may be gone before it is written.
  sighting.finding.claim.answer.reading.layer = {};
  notes_.insert_or_assign(Teller(teller), std::move(sighting));
}

bool IncidentKeeper::is_outside(const Teller& teller) const {
  return std::ranges::find(options_.roster, layer_of(teller)) != options_.roster.end();
}

bool IncidentKeeper::is_examined(const Teller& teller) const {
  return std::ranges::find(options_.witnesses, layer_of(teller), &Witness::layer) !=
         options_.witnesses.end();
}

void IncidentKeeper::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    if (const absl::Status status = turn(); !status.ok()) {
      able_since_ = clock_.now();
      observer_.failed(status);
    }
    lock.lock();
    wake_.wait_for(lock, options_.interval, [this] { return stopping_; });
  }
}

absl::Status IncidentKeeper::turn() {
  if (absl::Status status = follow(); !status.ok()) return status;
  Notes notes;
  {
    const std::lock_guard lock(mutex_);
    notes = std::exchange(notes_, {});
    // A recovery that is found meanwhile is not to be lost.
    for (const auto& [teller, note] : notes) {
      if (note.lies) standing_.insert(teller);
    }
  }
  const bool leads = options_.leads();
  if (!notes.empty() || (leads && !board_.open().empty())) {
    if (absl::Status status = decide(notes); !status.ok()) {
      const std::lock_guard lock(mutex_);
      notes_.merge(notes);  // newer ones stay
      return status;
    }
    if (absl::Status status = follow(); !status.ok()) return status;
    repair(notes);
  }
  if (leads && clock_.now() - pruned_at_ >= kPruneEvery) {
    if (absl::Status status = store_.prune(options_.retention); !status.ok()) return status;
    pruned_at_ = clock_.now();
  }
  look_again();
  return absl::OkStatus();
}

absl::Status IncidentKeeper::decide(const Notes& notes) {
  const auto now = database_clock_.earliest(clock_.now());
  const bool may_forget = options_.leads() && clock_.now() - able_since_ > options_.gone_after;
  const auto written = store_.decide([&](Docket& docket) {
    for (const auto& [teller, note] : notes) docket.saw(note);
    if (!now) return;
    if (may_forget) {
      docket.forget_gone(*now - options_.gone_after, *now, [this](const Teller& teller) {
        return Docket::is_of_process(teller) && !is_outside(teller);
      });
    }
    if (options_.leads() && clock_.now() - able_since_ > options_.silent_after) {
      docket.forget_gone(*now - options_.silent_after, *now,
                         [this](const Teller& teller) { return !is_examined(teller); });
    }
  });
  if (!written.ok()) return written.status();
  for (const Incident& incident : *written) {
    if (incident.is_new) observer_.opened(incident);
    if (!incident.open()) observer_.closed(incident);
  }
  return absl::OkStatus();
}

// What anybody wrote. Of another history of the ledger everything, and so when revisions have gone
// back: what was known may not have happened.
absl::Status IncidentKeeper::follow() {
  const auto newest = store_.newest();
  if (!newest.ok()) return newest.status();
  const std::optional<Edition> known = board_.edition();
  if (!known || known->incarnation != newest->incarnation || newest->revision < known->revision) {
    auto open = store_.open();
    if (!open.ok()) return open.status();
    board_.begin(std::move(open->incidents), open->edition);
  } else {
    if (newest->revision == known->revision) return absl::OkStatus();
    if (absl::Status status = take_changes(known->revision); !status.ok()) return status;
  }
  std::set<Teller> standing;
  for (const auto& incident : board_.open()) {
    standing.insert(incident->standing.begin(), incident->standing.end());
  }
  const std::lock_guard lock(mutex_);
  standing_ = std::move(standing);
  return absl::OkStatus();
}

absl::Status IncidentKeeper::take_changes(std::int64_t since) {
  while (true) {
    auto changed = store_.changed_since(since, kChanges);
    if (!changed.ok()) return changed.status();
    if (changed->empty()) return absl::OkStatus();
    since = changed->back().revision;
    const bool all = std::ssize(*changed) < kChanges;
    board_.changed(*std::move(changed));
    if (all) return absl::OkStatus();
  }
}

void IncidentKeeper::look_again() {
  const domain::LocalTime now = clock_.now();
  if (now - looked_at_ < kLookEvery) return;
  looked_at_ = now;
  const bool leads = options_.leads();
  std::set<std::string> ours;
  for (std::size_t i = 0; i < options_.witnesses.size(); ++i) {
    if (leads || !options_.witnesses[i].shared) ours.insert(name_of(i));
  }
  std::set<domain::Key> keys;
  for (const auto& incident : board_.open()) {
    for (const Teller& teller : incident->standing) {
      if (ours.contains(teller.witness)) keys.insert(teller.key);
    }
  }
  auto next = keys.upper_bound(looked_through_);
  for (std::size_t i = 0; i < std::min(keys.size(), kLookAtOnce); ++i) {
    if (next == keys.end()) next = keys.begin();
    looked_through_ = *next++;
    suspects_.put(looked_through_, now);
  }
}

// An old copy with an honest date may be an incident, and is no lie.
void IncidentKeeper::repair(const Notes& notes) {
  std::map<std::string, std::vector<domain::Key>> lies;
  for (const auto& [teller, note] : notes) {
    if (note.lies && is_lie(note.finding.judgement.verdict)) {
      lies[note.layer].push_back(teller.key);
    }
  }
  for (const auto& [layer, keys] : lies) options_.recorded(layer, keys);
}

std::string IncidentKeeper::name_of(std::size_t witness) const {
  const Witness& of = options_.witnesses[witness];
  return of.shared ? of.layer : of.layer + "@" + options_.instance;
}

}  // namespace stock::drift
