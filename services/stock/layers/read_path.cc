#include "stock/layers/read_path.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace stock::layers {

using domain::Outcome;

ReadPath::ReadPath(std::vector<Stage> stages, const clock::LocalClock& clock,
                   const clock::DatabaseClock& database_clock, const LedgerIdentity& identity,
                   ReadObserver& observer)
    : stages_(std::move(stages)),
      clock_(clock),
      database_clock_(database_clock),
      identity_(identity),
      observer_(observer) {}

void ReadPath::start(Read& read) const {
  const std::size_t n = read.keys.size();
  read.readings.resize(n);
  read.states_.assign(n, Read::State::kOpen);
  read.stage_of_.assign(n, 0);
  read.open_ = n;
  ask(read, 0);
}

// Asks the first stage from `stage` on that the requirement does not leave out, or finishes.
void ReadPath::ask(Read& read, std::size_t stage) const {
  const bool gone = read.context.cancelled != nullptr && *read.context.cancelled;
  while (read.open_ > 0 && !gone && stage < stages_.size()) {
    const Stage& next = stages_[stage];
    if (!read.requirement.fully_consistent || next.authoritative) break;
    domain::Visit& visit = read.trail.emplace_back();
    visit.layer = next.layer->name();
    visit.add(Outcome::kBypassed, static_cast<std::int32_t>(read.open_));
    observer_.visited(stage, visit);
    ++stage;
  }
  if (read.open_ == 0 || gone || stage == stages_.size()) return finish(read);

  read.answers_.assign(read.open_, {});
  std::span<const domain::Key> keys = read.keys;
  read.asked_index_.clear();
  if (read.open_ < read.keys.size()) {
    read.asked_.clear();
    for (std::size_t i = 0; i < read.keys.size(); ++i) {
      if (read.states_[i] == Read::State::kAnswered) continue;
      read.asked_.push_back(read.keys[i]);
      read.asked_index_.push_back(i);
    }
    keys = read.asked_;
  }
  read.asked_at_ = clock_.now();
  stages_[stage].layer->read(
      keys, std::span(read.answers_.data(), read.answers_.size()), read.context,
      [this, &read, stage](std::string detail) { told(read, stage, std::move(detail)); });
}

void ReadPath::told(Read& read, std::size_t stage, std::string detail) const {
  read.answered_at = clock_.now();
  domain::Visit& visit = read.trail.emplace_back();
  visit.layer = stages_[stage].layer->name();
  visit.time = read.answered_at - read.asked_at_;
  visit.detail = std::move(detail);
  const std::size_t open_before = read.open_;
  for (std::size_t i = 0; i < read.answers_.size(); ++i) {
    const std::size_t key = read.asked_index_.empty() ? i : read.asked_index_[i];
    visit.add(judge(read, stage, key, read.answers_[i]));
  }
  observer_.visited(stage, visit);
  if (stage > 0 && read.open_ < open_before) fill(read, stage);
  ask(read, stage + 1);
}

// What the read path makes of one layer's answer to one key. The bound is judged now, when the
// answer is here, and not when it was asked for.
Outcome ReadPath::judge(Read& read, std::size_t stage, std::size_t key,
                        const Answer& answer) const {
  if (!answer.found()) return answer.outcome;
  if (answer.reading.incarnation != identity_.current()) return Outcome::kSuperseded;

  domain::Reading& best = read.readings[key];
  Read::State& state = read.states_[key];
  if (state == Read::State::kOpen || answer.reading.true_through > best.true_through) {
    best = answer.reading;
    best.layer = stages_[stage].layer->name();
    read.stage_of_[key] = stage;
    state = Read::State::kCandidate;
  }
  if (!read.requirement.fully_consistent) {
    const auto age = database_clock_.age(answer.reading.true_through, read.answered_at);
    const auto& bound = read.requirement.max_age;
    if (!age || (bound && !domain::meets(*age, *bound))) return Outcome::kTooOld;
  }
  state = Read::State::kAnswered;
  --read.open_;
  return answer.outcome;
}

// Tells the layers above `stage` what it knew. They keep the date that it came with.
void ReadPath::fill(Read& read, std::size_t stage) const {
  const auto above = std::span(stages_).first(stage);
  if (std::ranges::none_of(above, [](const Stage& s) { return s.fill != nullptr; })) return;
  absl::InlinedVector<domain::Key, 1> keys;
  absl::InlinedVector<domain::Reading, 1> readings;
  for (std::size_t i = 0; i < read.answers_.size(); ++i) {
    const std::size_t key = read.asked_index_.empty() ? i : read.asked_index_[i];
    if (read.states_[key] != Read::State::kAnswered || read.stage_of_[key] != stage) continue;
    keys.push_back(read.keys[key]);
    readings.push_back(read.readings[key]);
  }
  for (const Stage& s : above) {
    if (s.fill != nullptr) s.fill->offer(keys, readings);
  }
}

// While slower layers were asked for some keys, the answers to the others have aged. Those that do
// not meet the bound any more are open again, for the layers behind theirs; once, then they are
// what they are.
bool ReadPath::reopen(Read& read) const {
  const auto& bound = read.requirement.max_age;
  if (!bound || read.requirement.fully_consistent) return false;
  std::size_t next = stages_.size();
  for (std::size_t i = 0; i < read.keys.size(); ++i) {
    if (read.states_[i] != Read::State::kAnswered) continue;
    const auto age = database_clock_.age(read.readings[i].true_through, read.answered_at);
    if (age && domain::meets(*age, *bound)) continue;
    read.states_[i] = Read::State::kCandidate;
    ++read.open_;
    next = std::min(next, read.stage_of_[i] + 1);
  }
  if (next == stages_.size() || std::exchange(read.reopened_, true)) return false;
  ask(read, next);
  return true;
}

void ReadPath::finish(Read& read) const {
  read.answered_at = clock_.now();
  if (reopen(read)) return;
  std::size_t missing = 0;
  for (std::size_t i = 0; i < read.keys.size(); ++i) {
    if (read.states_[i] == Read::State::kOpen) {
      ++missing;
      continue;
    }
    const auto age = database_clock_.age(read.readings[i].true_through, read.answered_at);
    if (!age) {
      ++missing;
      continue;
    }
    if (!read.oldest || age->worst() > read.oldest->worst()) read.oldest = age;
    if (read.states_[i] == Read::State::kCandidate) read.bound_missed = true;
  }
  if (missing > 0) {
    read.oldest.reset();
    read.status = absl::UnavailableError(
        fmt::format("no layer could answer {} of {} keys", missing, read.keys.size()));
  } else if (read.bound_missed && !read.requirement.allow_stale) {
    read.status = absl::UnavailableError(
        fmt::format("no layer could answer within the bound of {} µs; the best bound that could be "
                    "met is {} µs",
                    read.requirement.max_age.value_or(std::chrono::microseconds(0)).count(),
                    read.oldest->worst().count()));
  } else {
    for (std::size_t i = 0; i < read.keys.size(); ++i) {
      const auto age = database_clock_.age(read.readings[i].true_through, read.answered_at);
      observer_.answered(read.stage_of_[i], age->age);
    }
  }
  read.finished();
}

}  // namespace stock::layers
