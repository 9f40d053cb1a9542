#include "stock/drift/judge.h"

#include <algorithm>

namespace stock::drift {
namespace {

bool of_sold(const Told& told) { return told.testimony.extent == Extent::kSold; }

// Of those that name no version, the one that they may mean.
absl::StatusOr<std::vector<FoundVersion>> find(Archive& archive,
                                               std::span<const Told* const> told) {
  std::vector<Sought> sought;
  std::vector<std::size_t> of;
  for (std::size_t i = 0; i < told.size(); ++i) {
    const Testimony& said = told[i]->testimony;
    if (said.version > 0) continue;
    of.push_back(i);
    sought.push_back({said.key, said.extent, said.exists, said.counts, told[i]->dates.sent.latest});
  }
  auto found = archive.find(sought);
  if (!found.ok()) return found.status();
  std::vector<FoundVersion> all(told.size());
  for (std::size_t i = 0; i < of.size(); ++i) all[of[i]] = (*found)[i];
  return all;
}

absl::Status judge_levels(Archive& archive, std::span<const Told* const> told,
                          const std::optional<Span>& now, std::span<Judged* const> judged,
                          std::span<const domain::Xid> writers) {
  const auto found = find(archive, told);
  if (!found.ok()) return found.status();
  std::vector<HistoryQuestion> questions;
  for (std::size_t i = 0; i < told.size(); ++i) {
    const Testimony& said = told[i]->testimony;
    HistoryQuestion& question = questions.emplace_back(HistoryQuestion{said.key, {}});
    if (said.version > 0) {
      question.versions = {said.version};
    } else {
      question.versions = (*found)[i].versions;
      question.versions.push_back(0);  // before the first one there was none
    }
  }
  auto histories = archive.histories(questions);
  if (!histories.ok()) return histories.status();
  for (std::size_t i = 0; i < told.size(); ++i) {
    const auto& [testimony, dates] = *told[i];
    KeyHistory& history = (*histories)[i];
    history.oldest = std::max(history.oldest, (*found)[i].oldest);
    Finding& finding = judged[i]->finding;
    finding.judgement =
        now ? judge_now(testimony, dates, *now, history) : judge(testimony, dates, history);
    finding.newest = history.newest;
    finding.truth = history.current;
    judged[i]->incarnation = history.incarnation;
    if (finding.judgement.verdict == Verdict::kAhead && !are_over(writers, history)) {
      finding.judgement = {.verdict = Verdict::kInconclusive, .may_be_ahead = true};
    }
  }
  return absl::OkStatus();
}

absl::Status judge_sales(Archive& archive, std::span<const Told* const> told,
                         std::span<Judged* const> judged) {
  std::vector<SoldQuestion> questions;
  for (const Told* one : told) {
    questions.push_back({one->testimony.key, one->testimony.window, sold_through(one->dates)});
  }
  const auto answers = archive.sold(questions);
  if (!answers.ok()) return answers.status();
  for (std::size_t i = 0; i < told.size(); ++i) {
    const SoldAnswer& answer = (*answers)[i];
    judged[i]->sold = answer.sold;
    judged[i]->finding.judgement = answer.pruned
                                       ? Judgement{.verdict = Verdict::kUnverifiable}
                                       : judge_sold(told[i]->testimony.counts.on_hand, answer.sold);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<Judged>> judge_by(Archive& archive, std::span<const Told* const> told,
                                             const std::optional<Span>& now) {
  std::vector<Judged> all(told.size());
  std::vector<const Told*> levels;
  std::vector<Judged*> of_levels;
  std::vector<const Told*> sales;
  std::vector<Judged*> of_sales;
  for (std::size_t i = 0; i < told.size(); ++i) {
    Finding& finding = all[i].finding;
    finding.claim = claim_of(told[i]->testimony, told[i]->dates);
    if (now) {
      finding.claim.asked_earliest = now->earliest;
      finding.claim.asked_latest = now->latest;
    }
    (of_sold(*told[i]) ? sales : levels).push_back(told[i]);
    (of_sold(*told[i]) ? of_sales : of_levels).push_back(&all[i]);
  }
  // Also of no keys: it proves that the connection leads to the primary.
  absl::Status status = judge_levels(archive, levels, now, of_levels, {});
  if (status.ok() && !sales.empty()) status = judge_sales(archive, sales, of_sales);
  if (!status.ok()) return status;

  std::vector<const Told*> again;
  std::vector<Judged*> of_again;
  for (std::size_t i = 0; i < levels.size(); ++i) {
    const Verdict verdict = of_levels[i]->finding.judgement.verdict;
    if (verdict != Verdict::kAhead && verdict != Verdict::kNeverTrue) continue;
    again.push_back(levels[i]);
    of_again.push_back(of_levels[i]);
  }
  if (again.empty()) return all;
  const auto writers = archive.writers();
  if (!writers.ok()) return writers.status();
  status = judge_levels(archive, again, now, of_again, *writers);
  if (!status.ok()) return status;
  return all;
}

}  // namespace stock::drift
