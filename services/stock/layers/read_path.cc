#include "stock/layers/read_path.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace stock::layers {

using domain::Outcome;

namespace {

// A copy in use is written again with a newer heartbeat when its own is this much older than the
// watermark's: ten seconds at the usual ten a second. So it goes on being judged by the feed when
// other keys have moved in its slot, and outlives restarts of readers.
constexpr domain::HeartbeatNumber kRenewAfter = 100;

}  // namespace

ReadPath::ReadPath(std::vector<Stage> stages, const clock::LocalClock& clock,
                   const clock::DatabaseClock& database_clock, const feed::LedgerIdentity& identity,
                   const feed::View& view, feed::Attention& attention, ReadObserver& observer)
    : stages_(std::move(stages)),
      clock_(clock),
      database_clock_(database_clock),
      identity_(identity),
      view_(view),
      attention_(attention),
      observer_(observer) {}

void ReadPath::start(Read& read) const {
  const std::size_t n = read.keys.size();
  read.readings.resize(n);
  read.states_.assign(n, Read::State::kOpen);
  read.stage_of_.assign(n, 0);
  read.open_ = n;
  attention_.note();
  observer_.asked(read.keys);
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
  const auto& write = read.requirement.at_least;
  // Before the layer loads the watermark that it dates its copies by.
  if (write) read.shown_before_ = view_.shows(*write);
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
  const auto& write = read.requirement.at_least;
  if (write && !stages_[stage].judged) read.shown_before_ = view_.shows(*write);
  Hearing hearing{.stage = stage, .moment = {}};
  if (!stages_[stage].authoritative && !stages_[stage].judged) hearing.moment = view_.now();
  hear(read, hearing, visit);
  for (std::size_t i = 0; i < hearing.copies.size(); ++i) {
    if (hearing.copies[i] == 0) continue;
    observer_.judged(stage, static_cast<Judgement>(i), hearing.copies[i]);
  }
  observer_.visited(stage, visit);
  if (stage > 0 && read.open_ < open_before) fill(read, stage);
  if (stages_[stage].fill != nullptr && !stages_[stage].judged) renew(read, stage);
  ask(read, stage + 1);
}

// All answers of a layer. What copies are judged by lies at random places: it is asked for some
// steps ahead.
void ReadPath::hear(Read& read, Hearing& hearing, domain::Visit& visit) const {
  const auto key_of = [&](std::size_t i) {
    return read.asked_index_.empty() ? i : read.asked_index_[i];
  };
  constexpr std::size_t kAhead = 16;
  std::array<feed::Fingerprint, kAhead> prints;
  for (std::size_t first = 0; first < read.answers_.size(); first += kAhead) {
    const std::size_t last = std::min(first + kAhead, read.answers_.size());
    for (std::size_t i = first; hearing.moment.opened != 0 && i < last; ++i) {
      if (!read.answers_[i].found()) continue;
      prints[i - first] = feed::fingerprint(read.keys[key_of(i)]);
      view_.prefetch(prints[i - first]);
    }
    for (std::size_t i = first; i < last; ++i) {
      visit.add(judge(read, hearing, prints[i - first], key_of(i), read.answers_[i]));
    }
  }
}

// What the read path makes of one layer's answer to one key. The bound is judged now, when the
// answer is here, and not when it was asked for.
Outcome ReadPath::judge(Read& read, Hearing& hearing, const feed::Fingerprint& print,
                        std::size_t key, Answer& answer) const {
  const std::size_t stage = hearing.stage;
  if (!answer.found()) {
    if (answer.outcome == Outcome::kCorrupt) {
      ++hearing.copies[static_cast<std::size_t>(Judgement::kCorrupt)];
    }
    return answer.outcome;
  }
  const Judgement judgement = stand(hearing, print, answer.reading);
  if (judgement == Judgement::kVoid) return Outcome::kSuperseded;

  const std::optional<Outcome> wanting = wants(read, stage, judgement, answer);
  domain::Reading& best = read.readings[key];
  Read::State& state = read.states_[key];
  // What passes is the answer, also where a candidate has a later date: that one may be without the
  // write that has to be shown.
  if (!wanting || state == Read::State::kOpen || answer.reading.true_through > best.true_through) {
    best = answer.reading;
    best.layer = stages_[stage].layer->name();
    read.stage_of_[key] = stage;
    state = Read::State::kCandidate;
  }
  if (wanting) return *wanting;
  state = Read::State::kAnswered;
  --read.open_;
  return answer.outcome;
}

// Why an answer does not pass; nothing if it does.
std::optional<Outcome> ReadPath::wants(Read& read, std::size_t stage, Judgement judgement,
                                       const Answer& answer) const {
  if (judgement == Judgement::kSuperseded) return Outcome::kSuperseded;
  if (read.requirement.at_least && !shows(read, stage, judgement, answer)) {
    const bool same_history = answer.reading.incarnation == read.requirement.at_least->incarnation;
    if (stages_[stage].authoritative && answer.shows && same_history) read.never_seen_ = true;
    return Outcome::kTooOld;
  }
  if (!read.requirement.fully_consistent) {
    const auto old = age(answer.reading, read.answered_at);
    const auto& bound = read.requirement.max_age;
    if (!old || (bound && !domain::meets(*old, *bound))) return Outcome::kTooOld;
  }
  return std::nullopt;
}

// Dates a copy by the feed. The ledger itself needs no judge: nobody knows better.
Judgement ReadPath::stand(Hearing& hearing, const feed::Fingerprint& print,
                          domain::Reading& reading) const {
  const Stage& stage = stages_[hearing.stage];
  Judgement judgement = Judgement::kOwnStamp;
  if (reading.incarnation != identity_.current()) {
    judgement = Judgement::kVoid;
  } else if (stage.authoritative) {
    return judgement;
  } else if (stage.judged) {
    if (reading.confirmed_at != domain::LocalTime{}) judgement = Judgement::kCurrent;
  } else {
    switch (view_.judge(hearing.moment, print, reading)) {
      case feed::Standing::kCurrent:
        judgement = Judgement::kCurrent;
        break;
      case feed::Standing::kSuperseded:
        judgement = Judgement::kSuperseded;
        break;
      case feed::Standing::kOwnDate:
        break;
    }
  }
  ++hearing.copies[static_cast<std::size_t>(judgement)];
  return judgement;
}

// Whether an answer shows the write that it has to show: by the watermark, which showed it before
// the copy was judged, or by the statement that read it.
bool ReadPath::shows(const Read& read, std::size_t stage, Judgement judgement,
                     const Answer& answer) const {
  const domain::Transaction& write = *read.requirement.at_least;
  if (answer.reading.incarnation != write.incarnation) return false;
  // What memory holds is kept current, also where its own date is later than the watermark.
  const bool by_feed = judgement == Judgement::kCurrent || stages_[stage].judged;
  if (by_feed && read.shown_before_ && view_.has_feed()) return true;
  return answer.shows && answer.shows->shows(write.xid);
}

std::optional<domain::Age> ReadPath::age(const domain::Reading& reading,
                                         domain::LocalTime now) const {
  if (reading.confirmed_at == domain::LocalTime{}) {
    return database_clock_.age(reading.true_through, now);
  }
  const auto half = reading.confirmed_within / 2;
  const auto age = std::max(now - reading.confirmed_at - half, std::chrono::nanoseconds(0));
  return domain::Age{std::chrono::ceil<std::chrono::microseconds>(age),
                     std::chrono::ceil<std::chrono::microseconds>(half)};
}

// Tells a layer what it said itself, where that is current and its heartbeat has grown old.
void ReadPath::renew(const Read& read, std::size_t stage) const {
  absl::InlinedVector<domain::Key, 1> keys;
  absl::InlinedVector<domain::Reading, 1> readings;
  const feed::Watermark watermark = view_.watermark();
  for (std::size_t i = 0; i < read.answers_.size(); ++i) {
    const Answer& answer = read.answers_[i];
    if (!answer.found() || answer.reading.incarnation != watermark.incarnation) continue;
    if (watermark.heartbeat - answer.reading.heartbeat < kRenewAfter) continue;
    const std::size_t key = read.asked_index_.empty() ? i : read.asked_index_[i];
    domain::Reading reading = answer.reading;
    // By one watermark, and the heartbeat that belongs to it.
    if (view_.renew(read.keys[key], reading)) {
      keys.push_back(read.keys[key]);
      readings.push_back(reading);
    }
  }
  if (!keys.empty()) stages_[stage].fill->offer(keys, readings);
}

// Tells the layers above `stage` what it knew. They keep the date that it came with.
void ReadPath::fill(Read& read, std::size_t stage) const {
  const auto above = std::span(stages_).first(stage);
  if (std::ranges::none_of(above, [](const Stage& s) { return s.fill != nullptr; })) return;
  const auto offer = [&](std::span<const domain::Key> keys,
                         std::span<const domain::Reading> readings) {
    for (const Stage& s : above) {
      if (s.fill != nullptr) s.fill->offer(keys, readings);
    }
  };
  const auto from_here = [&](std::size_t key) {
    return read.states_[key] == Read::State::kAnswered && read.stage_of_[key] == stage;
  };
  const std::size_t n = read.keys.size();
  std::size_t told = 0;
  for (std::size_t i = 0; i < n; ++i) told += from_here(i) ? 1 : 0;
  // Mostly all of them: then they are offered as they lie.
  if (told == n) return offer(read.keys, read.readings);
  std::vector<domain::Key> keys;
  std::vector<domain::Reading> readings;
  keys.reserve(told);
  readings.reserve(told);
  for (std::size_t i = 0; i < n; ++i) {
    if (!from_here(i)) continue;
    keys.push_back(read.keys[i]);
    readings.push_back(read.readings[i]);
  }
  offer(keys, readings);
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
    const auto old = age(read.readings[i], read.answered_at);
    if (old && domain::meets(*old, *bound)) continue;
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
  read.ages.resize(read.keys.size());
  for (std::size_t i = 0; i < read.keys.size(); ++i) {
    if (read.states_[i] == Read::State::kOpen) {
      ++missing;
      continue;
    }
    const auto old = age(read.readings[i], read.answered_at);
    if (!old) {
      ++missing;
      continue;
    }
    read.ages[i] = *old;
    domain::include(read.oldest, *old);
    if (read.states_[i] == Read::State::kCandidate) read.bound_missed = true;
  }
  const bool refused = std::ranges::any_of(
      read.trail, [](const domain::Visit& visit) { return visit.count(Outcome::kRefused) > 0; });
  const auto unanswered =
      refused ? absl::StatusCode::kResourceExhausted : absl::StatusCode::kUnavailable;
  if (missing > 0) {
    read.oldest.reset();
    read.status = absl::Status(
        unanswered, fmt::format("no layer could answer {} of {} keys", missing, read.keys.size()));
  } else if (read.never_seen_) {
    read.status = absl::FailedPreconditionError(
        "the ledger does not hold the write of this token, and it is none of its past");
  } else if (read.bound_missed && !read.requirement.allow_stale) {
    const std::string bound =
        read.requirement.at_least
            ? "as fresh as the token asks for"
            : fmt::format("within the bound of {} µs",
                          read.requirement.max_age.value_or(std::chrono::microseconds(0)).count());
    read.status = absl::Status(
        unanswered,
        fmt::format("no layer could answer {}; the best bound that could be met is {} µs", bound,
                    read.oldest->worst().count()));
  } else {
    count_answers(read);
  }
  read.finished();
}

// Neighbours are often of one layer and one age: they are counted together.
void ReadPath::count_answers(const Read& read) const {
  const auto same = [&](std::size_t a, std::size_t b) {
    return read.stage_of_[a] == read.stage_of_[b] && read.ages[a].age == read.ages[b].age;
  };
  for (std::size_t first = 0, next = 0; first < read.keys.size(); first = next) {
    while (next < read.keys.size() && same(first, next)) ++next;
    observer_.answered(read.stage_of_[first], read.ages[first].age,
                       static_cast<std::int64_t>(next - first));
  }
}

}  // namespace stock::layers
