#include "stock/drift/cross_examination.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>

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

// What is certain of what was found a second time. `writers`: that were under way after the first
// time, where somebody was ahead.
Judgement certain(const Finding& finding, const Claim& said_first, const KeyHistory& first,
                  const KeyHistory& second, bool runs_ahead,
                  const std::optional<std::vector<domain::Xid>>& writers) {
  const Judgement& judgement = finding.judgement;
  const Judgement moved{.verdict = Verdict::kInconclusive};
  if (!diverges(judgement.verdict)) return judgement;
  // Versions of two ledgers cannot be compared.
  if (second.incarnation != first.incarnation) return moved;
  if (judgement.verdict == Verdict::kStale) {
    return finding.claim.answer.reading.version < first.newest ? judgement : moved;
  }
  if (!runs_ahead) return judgement;
  const bool unknown_before = said_first.answer.reading.version > second.newest ||
                              said_first.answer.reading.heartbeat > second.heartbeat;
  if (!unknown_before || !writers) return moved;
  if (are_over(*writers, second)) return judgement;
  return {.verdict = Verdict::kInconclusive, .may_be_ahead = true};
}

}  // namespace

struct CrossExamination::Look {
  std::vector<std::vector<Claim>> claims;  // by witness, then by key
  std::vector<KeyHistory> histories;       // by key
  Compare compare;

  // Once of each: the claim goes into the finding.
  [[nodiscard]] Finding judge(std::size_t witness, std::size_t key) {
    Claim& claim = claims[witness][key];
    const KeyHistory& history = histories[key];
    const Judgement judgement = compare(claim, history);
    return {.claim = std::move(claim),
            .judgement = judgement,
            .newest = history.newest,
            .truth = history.current};
  }
  // Says what nobody but a standby can know yet.
  [[nodiscard]] bool runs_ahead(const Claim& claim, std::size_t key) const {
    return claim.answer.found() && (claim.answer.reading.version > histories[key].newest ||
                                    claims_unknown_heartbeat(claim, histories[key]));
  }
};

CrossExamination::CrossExamination(std::vector<layers::Layer*> witnesses, HistorySource& history,
                                   const clock::DatabaseClock& database_clock,
                                   const clock::LocalClock& clock,
                                   std::chrono::nanoseconds patience, Compare judge)
    : witnesses_(std::move(witnesses)),
      history_(history),
      database_clock_(database_clock),
      clock_(clock),
      patience_(patience),
      judge_(judge) {}

absl::StatusOr<CrossExamination::Findings> CrossExamination::examine(
    std::span<const domain::Key> keys, const std::stop_token& stop) {
  std::vector<std::size_t> all(witnesses_.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  return examine(keys, all, stop);
}

absl::StatusOr<CrossExamination::Findings> CrossExamination::examine(
    std::span<const domain::Key> keys, std::span<const std::size_t> witnesses,
    const std::stop_token& stop) {
  return judge(*ask({keys.begin(), keys.end()}, witnesses), witnesses, stop);
}

CrossExamination::Asked CrossExamination::ask(std::vector<domain::Key> keys,
                                              std::span<const std::size_t> witnesses,
                                              std::optional<Inquiry::Made> made) const {
  std::vector<layers::Layer*> asked;
  asked.reserve(witnesses.size());
  for (const std::size_t w : witnesses) asked.push_back(witnesses_[w]);
  return Inquiry::send(std::move(keys), asked, clock_, patience_, std::move(made));
}

absl::StatusOr<CrossExamination::Findings> CrossExamination::judge(
    Inquiry& asked, std::span<const std::size_t> witnesses, const std::stop_token& stop) {
  const std::vector<domain::Key>& keys = asked.keys();
  absl::StatusOr<Look> first = look(asked, stop);
  if (!first.ok()) return first.status();

  Findings findings(witnesses.size());
  std::vector<std::size_t> accused;   // of those asked; both in order
  std::vector<std::size_t> disputed;  // keys
  bool ahead = false;                 // somebody says what the ledger does not know
  for (std::size_t w = 0; w < witnesses.size(); ++w) {
    findings[w].reserve(keys.size());
    for (std::size_t k = 0; k < keys.size(); ++k) {
      findings[w].push_back(first->judge(w, k));
      if (!diverges(findings[w][k].judgement.verdict)) continue;
      if (accused.empty() || accused.back() != w) accused.push_back(w);
      disputed.push_back(k);
      ahead = ahead || first->runs_ahead(findings[w][k].claim, k);
    }
  }
  if (accused.empty()) return findings;
  // What a standby shows before the primary does is of one of these, or shown by now.
  std::optional<std::vector<domain::Xid>> writers;
  if (ahead) {
    absl::StatusOr<std::vector<domain::Xid>> under_way = history_.writers();
    if (!under_way.ok()) return under_way.status();
    writers = *std::move(under_way);
  }
  std::sort(disputed.begin(), disputed.end());
  disputed.erase(std::unique(disputed.begin(), disputed.end()), disputed.end());

  std::vector<std::size_t> again;
  again.reserve(accused.size());
  for (const std::size_t w : accused) again.push_back(witnesses[w]);
  std::vector<domain::Key> about;
  about.reserve(disputed.size());
  for (const std::size_t k : disputed) about.push_back(keys[k]);
  absl::StatusOr<Look> second = look(*ask(std::move(about), again), stop);
  if (!second.ok()) return second.status();

  for (std::size_t i = 0; i < accused.size(); ++i) {
    for (std::size_t j = 0; j < disputed.size(); ++j) {
      Finding& finding = findings[accused[i]][disputed[j]];
      if (!diverges(finding.judgement.verdict)) continue;
      const Claim said_first = std::move(finding.claim);
      finding = second->judge(i, j);
      finding.judgement =
          certain(finding, said_first, first->histories[disputed[j]], second->histories[j],
                  second->runs_ahead(finding.claim, j), writers);
    }
  }
  return findings;
}

// Of what nobody says anything there is nothing to judge; and where all who say something say the
// newest version, as of its commit, or one that is newer still, that one is enough to judge it by.
absl::Status CrossExamination::read_histories(std::span<const domain::Key> keys, Look& look) {
  std::vector<std::size_t> told;
  std::vector<domain::Key> about;
  for (std::size_t k = 0; k < keys.size(); ++k) {
    const bool said = std::ranges::any_of(
        look.claims, [k](const auto& of_witness) { return of_witness[k].answer.found(); });
    if (!said) continue;
    told.push_back(k);
    about.push_back(keys[k]);
  }
  look.histories.resize(keys.size());
  if (told.empty()) return absl::OkStatus();
  absl::StatusOr<std::vector<KeyHistory>> newest = history_.newest(about);
  if (!newest.ok()) return newest.status();

  std::vector<std::size_t> doubted;
  std::vector<HistoryQuestion> questions;
  for (std::size_t i = 0; i < told.size(); ++i) {
    const std::size_t k = told[i];
    KeyHistory& history = look.histories[k];
    history = std::move((*newest)[i]);
    const bool doubtful = std::ranges::any_of(look.claims, [&](const auto& of_witness) {
      const layers::Answer& answer = of_witness[k].answer;
      const domain::Reading& reading = answer.reading;
      return answer.found() &&
             (reading.version < history.newest || reading.version < 1 ||
              (reading.version == history.newest && reading.as_of != history.current.committed_at));
    });
    if (!doubtful) continue;
    doubted.push_back(k);
    questions.push_back({std::move(about[i]), claimed(look.claims, k)});
  }
  if (doubted.empty()) return absl::OkStatus();
  absl::StatusOr<std::vector<KeyHistory>> histories = history_.histories(questions);
  if (!histories.ok()) return histories.status();
  for (std::size_t i = 0; i < doubted.size(); ++i) {
    look.histories[doubted[i]] = std::move((*histories)[i]);
  }
  return absl::OkStatus();
}

absl::StatusOr<CrossExamination::Look> CrossExamination::look(Inquiry& asked,
                                                              const std::stop_token& stop) {
  const std::vector<domain::Key>& keys = asked.keys();
  Look look{.claims = {}, .histories = {}, .compare = judge_};
  for (Inquiry::Statement& statement : asked.wait(stop)) {
    std::vector<Claim>& claims = look.claims.emplace_back();
    if (!statement.answered) {
      claims.resize(keys.size(), {.answer = {.outcome = domain::Outcome::kTimeout},
                                  .detail = "no answer in time"});
      continue;
    }
    const auto earliest = database_clock_.earliest(statement.sent);
    const auto latest = database_clock_.latest(statement.received);
    if (!earliest || !latest) {
      return absl::UnavailableError("the database's clock has not been measured yet");
    }
    claims.reserve(keys.size());
    for (layers::Answer& answer : statement.answers) {
      claims.push_back({std::move(answer), *earliest, *latest, statement.detail});
    }
  }
  if (stop.stop_requested()) return absl::CancelledError("the audit is stopping");

  if (absl::Status status = read_histories(keys, look); !status.ok()) return status;
  return look;
}

}  // namespace stock::drift
