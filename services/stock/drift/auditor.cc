#include "stock/drift/auditor.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <set>
#include <span>
#include <utility>

namespace stock::drift {

Auditor::Auditor(const Options& options, std::vector<layers::Layer*> witnesses,
                 HistorySource& history, const clock::DatabaseClock& database_clock,
                 const clock::LocalClock& clock, Observer& observer)
    : options_(options),
      history_(history),
      observer_(observer),
      examination_(std::move(witnesses), history, database_clock, clock, options.patience),
      divergences_(examination_.witnesses(), Divergences(options.max_divergent_keys)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

Auditor::~Auditor() = default;

void Auditor::run(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  while (!stop.stop_requested()) {
    const absl::Status status = pass(stop);
    if (!status.ok() && !stop.stop_requested()) observer_.pass_failed(status);
    std::unique_lock lock(mutex);
    never.wait_for(lock, stop, options_.interval, [] { return false; });
  }
}

absl::Status Auditor::pass(const std::stop_token& stop) {
  const absl::StatusOr<std::vector<domain::Key>> chosen = choose_keys();
  if (!chosen.ok()) return chosen.status();
  const std::span<const domain::Key> keys(*chosen);
  const auto at_once = static_cast<std::size_t>(options_.keys_per_pass);
  for (std::size_t from = 0; from < keys.size(); from += at_once) {
    const auto part = keys.subspan(from, std::min(at_once, keys.size() - from));
    const auto judgements = examination_.examine(part, stop);
    if (!judgements.ok()) return judgements.status();
    for (std::size_t layer = 0; layer < judgements->size(); ++layer) {
      for (std::size_t k = 0; k < part.size(); ++k) {
        record(part[k], layer, (*judgements)[layer][k]);
      }
    }
  }
  std::vector<LayerSummary> summaries;
  for (const Divergences& divergences : divergences_) summaries.push_back(divergences.summary());
  observer_.pass_finished(keys.size(), summaries);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<domain::Key>> Auditor::choose_keys() {
  absl::StatusOr<std::vector<domain::Key>> next =
      history_.keys_after(last_, options_.keys_per_pass);
  if (!next.ok()) return next.status();
  if (next->empty() && last_ != domain::Key{}) {
    next = history_.keys_after({}, options_.keys_per_pass);
    if (!next.ok()) return next.status();
  }
  last_ = next->empty() ? domain::Key{} : next->back();

  std::set<domain::Key> keys(next->begin(), next->end());
  for (const Divergences& divergences : divergences_) {
    for (const auto& [key, judgement] : divergences.keys()) keys.insert(key);
  }
  return std::vector<domain::Key>(keys.begin(), keys.end());
}

void Auditor::record(const domain::Key& key, std::size_t layer, const Judgement& judgement) {
  divergences_[layer].judged(key, judgement);
  observer_.examined(layer, judgement.verdict);
}

}  // namespace stock::drift
