#include "stock/drift/cross_examination.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "stock/drift/inquiry.h"

namespace stock::drift {
namespace {

// The versions that the witnesses claim of one key, each once. Impossible ones are left out: there
// is nothing to ask about them, and the successor of the last one is no number.
std::vector<domain::Version> claimed(const std::vector<std::vector<Claim>>& claims,
                                     std::size_t key) {
  std::vector<domain::Version> versions;
  for (const std::vector<Claim>& of_witness : claims) {
    const layers::Answer& answer = of_witness[key].answer;
    const domain::Version version = answer.reading.version;
    const bool possible = version >= 0 && version < std::numeric_limits<domain::Version>::max();
    if (answer.found() && possible) versions.push_back(version);
  }
  std::sort(versions.begin(), versions.end());
  versions.erase(std::unique(versions.begin(), versions.end()), versions.end());
  return versions;
}

}  // namespace

struct CrossExamination::Look {
  std::vector<std::vector<Claim>> claims;  // by witness, then by key
  std::vector<KeyHistory> histories;       // by key

  [[nodiscard]] Judgement judge(std::size_t witness, std::size_t key) const {
    return compare(claims[witness][key], histories[key]);
  }
};

CrossExamination::CrossExamination(std::vector<layers::Layer*> witnesses, HistorySource& history,
                                   const clock::DatabaseClock& database_clock,
                                   const clock::LocalClock& clock,
                                   std::chrono::nanoseconds patience)
    : witnesses_(std::move(witnesses)),
      history_(history),
      database_clock_(database_clock),
      clock_(clock),
      patience_(patience) {}

absl::StatusOr<CrossExamination::Judgements> CrossExamination::examine(
    std::span<const domain::Key> keys, const std::stop_token& stop) {
  const absl::StatusOr<Look> first = look({keys.begin(), keys.end()}, witnesses_, stop);
  if (!first.ok()) return first.status();

  Judgements judgements(witnesses_.size());
  std::vector<std::size_t> accused;   // witnesses; both in order
  std::vector<std::size_t> disputed;  // keys
  for (std::size_t w = 0; w < witnesses_.size(); ++w) {
    for (std::size_t k = 0; k < keys.size(); ++k) {
      judgements[w].push_back(first->judge(w, k));
      if (!diverges(judgements[w][k].verdict)) continue;
      if (accused.empty() || accused.back() != w) accused.push_back(w);
      disputed.push_back(k);
    }
  }
  if (accused.empty()) return judgements;
  std::sort(disputed.begin(), disputed.end());
  disputed.erase(std::unique(disputed.begin(), disputed.end()), disputed.end());

  std::vector<layers::Layer*> again;
  again.reserve(accused.size());
  for (const std::size_t w : accused) again.push_back(witnesses_[w]);
  std::vector<domain::Key> about;
  about.reserve(disputed.size());
  for (const std::size_t k : disputed) about.push_back(keys[k]);
  const absl::StatusOr<Look> second = look(std::move(about), again, stop);
  if (!second.ok()) return second.status();

  for (std::size_t i = 0; i < accused.size(); ++i) {
    for (std::size_t j = 0; j < disputed.size(); ++j) {
      Judgement& judgement = judgements[accused[i]][disputed[j]];
      if (!diverges(judgement.verdict)) continue;
      judgement = second->judge(i, j);
      const domain::Version said = second->claims[i][j].answer.reading.version;
      if (judgement.verdict == Verdict::kStale && said >= first->histories[disputed[j]].newest) {
        judgement = {.verdict = Verdict::kInconclusive};
      }
      // Versions of two ledgers cannot be compared.
      if (diverges(judgement.verdict) &&
          second->histories[j].incarnation != first->histories[disputed[j]].incarnation) {
        judgement = {.verdict = Verdict::kInconclusive};
      }
      const domain::Version said_first =
          first->claims[accused[i]][disputed[j]].answer.reading.version;
      if (judgement.verdict == Verdict::kAhead && said_first <= second->histories[j].newest) {
        judgement = {.verdict = Verdict::kInconclusive};
      }
    }
  }
  return judgements;
}

absl::StatusOr<CrossExamination::Look> CrossExamination::look(
    std::vector<domain::Key> keys, const std::vector<layers::Layer*>& witnesses,
    const std::stop_token& stop) {
  Look look;
  for (Inquiry::Statement& statement : Inquiry::ask(keys, witnesses, clock_, patience_, stop)) {
    std::vector<Claim>& claims = look.claims.emplace_back(keys.size());
    if (!statement.answered) {
      for (Claim& claim : claims) claim.answer.outcome = domain::Outcome::kTimeout;
      continue;
    }
    const auto earliest = database_clock_.earliest(statement.sent);
    const auto latest = database_clock_.latest(statement.received);
    if (!earliest || !latest) {
      return absl::UnavailableError("the database's clock has not been measured yet");
    }
    for (std::size_t k = 0; k < keys.size(); ++k) {
      claims[k] = {std::move(statement.answers[k]), *earliest, *latest};
    }
  }
  if (stop.stop_requested()) return absl::CancelledError("the audit is stopping");

  std::vector<HistoryQuestion> questions;
  for (std::size_t k = 0; k < keys.size(); ++k) {
    questions.push_back({std::move(keys[k]), claimed(look.claims, k)});
  }
  absl::StatusOr<std::vector<KeyHistory>> histories = history_.histories(questions);
  if (!histories.ok()) return histories.status();
  look.histories = *std::move(histories);
  return look;
}

}  // namespace stock::drift
