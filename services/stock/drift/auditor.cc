#include "stock/drift/auditor.h"

#include <algorithm>
#include <condition_variable>
#include <future>
#include <mutex>
#include <utility>

namespace stock::drift {
namespace {

using std::chrono::nanoseconds;

// What just moved or is read does not wait longer for its turn, whatever that costs.
constexpr nanoseconds kLongestPause = std::chrono::milliseconds(500);

// How long to rest so that `busy` is no more than its share of the time.
nanoseconds rest(nanoseconds busy, double share) {
  if (share <= 0) return nanoseconds::max();
  return std::chrono::duration_cast<nanoseconds>(busy * (1 / share - 1));
}

std::vector<layers::Layer*> layers_of(const std::vector<Witness>& witnesses) {
  std::vector<layers::Layer*> layers;
  layers.reserve(witnesses.size());
  for (const Witness& witness : witnesses) layers.push_back(witness.layer);
  return layers;
}

}  // namespace

std::string_view cause_name(Cause cause) {
  switch (cause) {
    case Cause::kMoved:
      return "moved";
    case Cause::kRead:
      return "read";
    case Cause::kRound:
      return "round";
    case Cause::kSuspect:
      return "suspect";
  }
  return "unknown";
}

Auditor::Auditor(Options options, std::vector<Witness> witnesses, Sources sources,
                 HistorySource& history, const clock::DatabaseClock& database_clock,
                 const clock::LocalClock& clock, Observer& observer,
                 std::vector<Listener*> listeners)
    : options_(std::move(options)),
      witnesses_(std::move(witnesses)),
      sources_(sources),
      history_(history),
      clock_(clock),
      observer_(observer),
      listeners_(std::move(listeners)),
      examination_(layers_of(witnesses_), history, database_clock, clock, options_.patience,
                   options_.judge),
      divergences_(witnesses_.size(), Divergences(options_.max_divergent_keys)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

Auditor::~Auditor() = default;

void Auditor::run(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  while (!stop.stop_requested()) {
    const domain::LocalTime began = clock_.now();
    const absl::Status status = pass(stop);
    if (!status.ok() && !stop.stop_requested()) observer_.pass_failed(status);
    const nanoseconds pause = std::clamp(rest(clock_.now() - began, share()), options_.interval,
                                         std::max(options_.interval, kLongestPause));
    std::unique_lock lock(mutex);
    never.wait_for(lock, stop, pause, [] { return false; });
  }
}

double Auditor::share() const { return idle_ ? options_.idle_budget : options_.budget; }

absl::Status Auditor::pass(const std::stop_token& stop) {
  const domain::LocalTime began = clock_.now();
  const bool leads = options_.leads();
  std::vector<NotedKey> moved = sources_.moved.take();
  std::vector<NotedKey> read = sources_.read.take();
  idle_ = moved.empty() && read.empty();
  const std::uint64_t lost = sources_.moved.dropped();
  if (lost > lost_) observer_.dropped(Cause::kMoved, lost - std::exchange(lost_, lost));
  // The shared layers, where somebody else looks after them, are ours only for what is read here.
  absl::Status status =
      examine_noted(Cause::kMoved, std::move(moved), leads ? Scope::kAll : Scope::kOwn, stop);
  if (status.ok()) {
    status = examine_noted(Cause::kRead, std::move(read), Scope::kAll, stop);
  } else if (!read.empty()) {
    observer_.dropped(Cause::kRead, read.size());
  }
  if (status.ok() && sources_.suspects != nullptr) {
    status = examine_noted(Cause::kSuspect, sources_.suspects->take(), Scope::kAll, stop);
  }
  if (status.ok()) status = examine_suspects(stop);
  if (status.ok() && clock_.now() >= round_due_) {
    const domain::LocalTime stepped = clock_.now();
    status = go_round(leads ? Scope::kAll : Scope::kOwn, stop);
    const nanoseconds busy = clock_.now() - stepped;
    round_due_ = clock_.now() + rest(busy, share());
  }
  if (!status.ok()) return status;
  std::vector<LayerSummary> summaries;
  summaries.reserve(divergences_.size());
  for (Divergences& divergences : divergences_) {
    summaries.push_back(divergences.summary(clock_.now()));
  }
  observer_.pass_finished(summaries,
                          {.busy = clock_.now() - began, .idle = idle_, .coverage = coverage()});
  return absl::OkStatus();
}

absl::Status Auditor::examine_noted(Cause cause, std::vector<NotedKey> noted, Scope scope,
                                    const std::stop_token& stop) {
  Batch batch;
  std::size_t left_out = 0;
  for (NotedKey& note : noted) {
    if (batch.size() < options_.keys_per_pass) {
      batch.try_emplace(std::move(note.key), note.since);
    } else if (!batch.contains(note.key)) {
      ++left_out;
    }
  }
  absl::Status status = examine(cause, batch, scope, stop);
  // Whose examination failed is in nobody's hands any more.
  if (!status.ok()) left_out += batch.size();
  if (left_out > 0) observer_.dropped(cause, left_out);
  return status;
}

// In order, so that each has its turn however many there are.
absl::Status Auditor::examine_suspects(const std::stop_token& stop) {
  std::map<domain::Key, domain::LocalTime> all;
  for (const Divergences& divergences : divergences_) {
    for (const auto& [key, judgement] : divergences.keys()) all.try_emplace(key, clock_.now());
  }
  Batch batch;
  auto next = all.upper_bound(last_suspect_);
  while (batch.size() < std::min(all.size(), options_.keys_per_pass)) {
    if (next == all.end()) next = all.begin();
    batch.insert(*next++);
  }
  if (!batch.empty()) last_suspect_ = std::prev(next)->first;
  return examine(Cause::kSuspect, batch, Scope::kAll, stop);
}

// At half the time, as many steps as that allows between two passes. Then four are under way at
// once: of one the findings are recorded, the next one is judged, by another thread, about the one
// after that witnesses are asked, and of the last one the keys are named.
absl::Status Auditor::go_round(Scope scope, const std::stop_token& stop) {
  const domain::LocalTime began = clock_.now();
  const nanoseconds together =
      std::min(rest(options_.interval, 1 - options_.idle_budget), kLongestPause);
  // Who has come to lead begins anew, for of the keys before these only its own layers were asked.
  if (scope == Scope::kAll && !whole_) {
    last_ = {};
    seen_ = 0;
  }
  whole_ = scope == Scope::kAll;
  if (witnesses_of(scope).empty()) return absl::OkStatus();
  if (last_.sku.empty()) round_began_ = began;
  Step judged;
  Step asked;
  Step named = begin_step(last_, scope);
  while (named.begun() || asked.begun() || judged.begun()) {
    // Where there is no thread to be had, by this one.
    judge(asked, stop,
          named.begun() ? std::launch::async | std::launch::deferred : std::launch::deferred);
    if (judged.begun()) {
      if (absl::Status status = record(Cause::kRound, judged, {}); !status.ok()) return status;
      end_step(judged.keys());
    }
    Step next;
    if (named.begun()) {
      if (absl::Status status = ask_about(named, asked, stop); !status.ok()) return status;
      const std::span<const domain::Key> keys = named.keys();
      const bool goes_on = idle_ && std::ssize(keys) == options_.keys_per_step &&
                           !stop.stop_requested() && clock_.now() - began < together;
      if (goes_on) next = begin_step(std::ranges::max(keys), scope);
    }
    if (asked.findings.valid()) asked.findings.wait();
    judged = std::exchange(asked, std::exchange(named, std::move(next)));
  }
  return absl::OkStatus();
}

// The first witness that can be gone through is asked which keys come next.
Auditor::Step Auditor::begin_step(const domain::Key& after, Scope scope) const {
  Step step{.after = after, .witnesses = witnesses_of(scope)};
  for (std::size_t i = 0; i < step.witnesses.size() && !step.stretch; ++i) {
    layers::Walkable* const walkable = witnesses_[step.witnesses[i]].walkable;
    if (walkable == nullptr) continue;
    step.guide = i;
    step.stretch = Stretch::send(*walkable, {.after = after, .limit = options_.keys_per_step},
                                 clock_, options_.patience);
  }
  return step;
}

// Where no witness has named the keys, the ledger does, and all are asked about them. It is asked
// by one at a time: after whoever judges the step before.
absl::Status Auditor::ask_about(Step& step, Step& before, const std::stop_token& stop) {
  if (step.stretch) {
    std::optional<Stretch::Named> named = step.stretch->wait(stop);
    if (stop.stop_requested()) return absl::CancelledError("the audit is stopping");
    if (named) {
      ask(step, std::move(named->keys), Inquiry::Made{step.guide, std::move(named->statement)});
      return absl::OkStatus();
    }
  }
  if (before.findings.valid()) before.findings.wait();
  auto keys = history_.keys_after(step.after, options_.keys_per_step);
  if (!keys.ok()) return keys.status();
  ask(step, *std::move(keys));
  return absl::OkStatus();
}

void Auditor::ask(Step& step, std::vector<domain::Key> keys,
                  std::optional<Inquiry::Made> made) const {
  if (keys.empty() || step.witnesses.empty()) return;
  step.asked = examination_.ask(std::move(keys), step.witnesses, std::move(made));
}

void Auditor::end_step(std::span<const domain::Key> keys) {
  seen_ += keys.size();
  if (std::ssize(keys) == options_.keys_per_step) {
    last_ = std::ranges::max(keys);
    return;
  }
  last_ = {};
  round_keys_ = std::exchange(seen_, 0);
  if (whole_) observer_.round_finished(clock_.now() - round_began_);
}

absl::Status Auditor::examine(Cause cause, const Batch& batch, Scope scope,
                              const std::stop_token& stop) {
  std::vector<domain::Key> keys;
  std::vector<domain::LocalTime> since;
  for (const auto& [key, noted] : batch) {
    keys.push_back(key);
    since.push_back(noted);
  }
  Step step{.after = {}, .witnesses = witnesses_of(scope)};
  ask(step, std::move(keys));
  judge(step, stop, std::launch::deferred);
  return record(cause, step, since);
}

std::vector<std::size_t> Auditor::witnesses_of(Scope scope) const {
  std::vector<std::size_t> witnesses;
  for (std::size_t w = 0; w < witnesses_.size(); ++w) {
    if (scope == Scope::kAll || !witnesses_[w].shared) witnesses.push_back(w);
  }
  return witnesses;
}

// Deferred: by whoever waits for the findings.
void Auditor::judge(Step& step, const std::stop_token& stop, std::launch how) {
  if (!step.asked) return;
  step.findings = std::async(how, [this, asked = step.asked, witnesses = step.witnesses, stop] {
    return examination_.judge(*asked, witnesses, stop);
  });
}

absl::Status Auditor::record(Cause cause, Step& step, std::span<const domain::LocalTime> since) {
  if (!step.findings.valid()) return absl::OkStatus();
  const std::span<const domain::Key> keys = step.keys();
  const auto findings = step.findings.get();
  if (!findings.ok()) return findings.status();
  const bool detects = cause == Cause::kMoved || cause == Cause::kRead;
  const domain::LocalTime now = clock_.now();
  for (std::size_t i = 0; i < step.witnesses.size(); ++i) {
    for (std::size_t k = 0; k < keys.size(); ++k) {
      record(step.witnesses[i], keys[k], (*findings)[i][k], now, detects ? &since[k] : nullptr);
    }
  }
  observer_.looked(cause, keys.size());
  return absl::OkStatus();
}

// `since`: when it was noted that it was to be looked at; null: nobody noted it.
void Auditor::record(std::size_t layer, const domain::Key& key, const Finding& finding,
                     domain::LocalTime now, const domain::LocalTime* since) {
  const bool is_new = divergences_[layer].judged(key, finding.judgement, now);
  observer_.examined(layer, finding.judgement);
  if (is_new && since != nullptr) observer_.detected(now - *since);
  for (Listener* listener : listeners_) listener->found(layer, key, finding);
}

double Auditor::coverage() const {
  if (!whole_) return 0;
  // As far as the last round tells how many there are.
  if (round_keys_ == 0) return last_.sku.empty() ? 1 : 0;
  if (last_.sku.empty()) return 1;
  return std::min(1.0, static_cast<double>(seen_) / static_cast<double>(round_keys_));
}

}  // namespace stock::drift
