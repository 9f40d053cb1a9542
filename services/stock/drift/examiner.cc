#include "stock/drift/examiner.h"

#include <algorithm>
#include <future>
#include <memory>
#include <stop_token>

namespace stock::drift {
namespace {

// Waits for a listing, which comes by the deadline that it was asked with.
template <typename Page, typename Ask>
absl::StatusOr<Page> wait_for(Ask ask) {
  const auto promise = std::make_shared<std::promise<absl::StatusOr<Page>>>();
  auto page = promise->get_future();
  ask([promise](layers::Listing<Page> listing) { promise->set_value(std::move(listing.page)); });
  return page.get();
}

const domain::Movement* find(const std::vector<domain::Movement>& movements,
                             domain::Version version) {
  const auto it = std::ranges::find(movements, version, &domain::Movement::version);
  return it == movements.end() ? nullptr : &*it;
}

}  // namespace

Examiner::Examiner(const Options& options, std::vector<layers::Layer*> witnesses, HistoryDesk& desk,
                   const layers::CataloguePath& catalogue, Repairer& repairer,
                   const clock::DatabaseClock& database_clock, const clock::LocalClock& clock)
    : options_(options),
      witnesses_(std::move(witnesses)),
      desk_(desk),
      catalogue_(catalogue),
      repairer_(repairer),
      database_clock_(database_clock),
      clock_(clock) {}

std::vector<std::string_view> Examiner::witnesses() const {
  std::vector<std::string_view> names;
  for (const layers::Layer* witness : witnesses_) names.push_back(witness->name());
  return names;
}

template <typename Answer, typename Work>
void Examiner::submit(domain::LocalTime deadline, Done<Answer> done, Work work) {
  deadline = std::min(deadline, clock_.now() + options_.timeout);
  desk_.submit(deadline, [done = std::move(done), work = std::move(work),
                          deadline](absl::StatusOr<Archive*> archive) mutable {
    if (!archive.ok()) return done(archive.status());
    done(work(**archive, deadline));
  });
}

void Examiner::explain(Question question, domain::LocalTime deadline, Done<Explanation> done) {
  submit(deadline, std::move(done),
         [this, question = std::move(question)](Archive& archive, domain::LocalTime until) {
           return explain(archive, question, until);
         });
}

void Examiner::audit(std::vector<domain::Key> keys, domain::LocalTime deadline,
                     Done<CrossExamination::Findings> done) {
  submit(deadline, std::move(done),
         [this, keys = std::move(keys)](Archive& archive, domain::LocalTime) {
           return examine(archive, keys);
         });
}

void Examiner::repair(Repairer::Order order, domain::LocalTime deadline, Done<Repaired> done) {
  submit(deadline, std::move(done),
         [this, order = std::move(order)](Archive& archive,
                                          domain::LocalTime until) -> absl::StatusOr<Repaired> {
           auto before = examine(archive, order.keys);
           if (!before.ok()) return before.status();
           if (absl::Status status = repairer_.repair(order, until); !status.ok()) return status;
           auto after = examine(archive, order.keys);
           if (!after.ok()) return after.status();
           return Repaired{*std::move(before), *std::move(after)};
         });
}

absl::StatusOr<CrossExamination::Findings> Examiner::examine(
    HistorySource& history, const std::vector<domain::Key>& keys) const {
  CrossExamination examination(witnesses_, history, database_clock_, clock_, options_.patience);
  return examination.examine(keys, std::stop_token());
}

absl::StatusOr<Explanation> Examiner::explain(Archive& archive, const Question& question,
                                              domain::LocalTime deadline) const {
  auto keys = keys_of(archive, question);
  if (!keys.ok()) return keys.status();
  Explanation explanation;
  explanation.more = keys->size() > static_cast<std::size_t>(options_.locations);
  if (explanation.more) keys->pop_back();
  if (keys->empty()) return explanation;
  const auto findings = examine(archive, *keys);
  if (!findings.ok()) return findings.status();
  auto newest = archive.newest(*keys);
  if (!newest.ok()) return newest.status();
  for (std::size_t k = 0; k < keys->size(); ++k) {
    KeyExplanation& of_key = explanation.keys.emplace_back();
    of_key.key = (*keys)[k];
    of_key.newest = (*newest)[k].newest;
    of_key.truth = (*newest)[k].current;
    for (const auto& of_witness : *findings) of_key.findings.push_back(of_witness[k]);
    absl::Status status = add_outside(archive, of_key);
    if (status.ok()) status = add_history(question, deadline, of_key);
    if (!status.ok()) return status;
  }
  return explanation;
}

// One more than will be looked into, if there is one.
absl::StatusOr<std::vector<domain::Key>> Examiner::keys_of(Archive& archive,
                                                           const Question& question) const {
  if (!question.location.empty()) {
    return std::vector<domain::Key>{{question.sku, question.location}};
  }
  auto keys = archive.keys_after({question.sku, ""}, options_.locations + 1);
  if (keys.ok()) {
    std::erase_if(*keys, [&](const domain::Key& key) { return key.sku != question.sku; });
  }
  return keys;
}

absl::Status Examiner::add_history(const Question& question, domain::LocalTime deadline,
                                   KeyExplanation& explanation) const {
  domain::Version before = 0;
  if (question.at) {
    const auto past = wait_for<layers::PastPage>([&](auto done) {
      catalogue_.past({.keys = {explanation.key}, .at = question.at, .version = 0},
                      {.deadline = deadline}, std::move(done));
    });
    if (!past.ok()) return past.status();
    if (*question.at > past->true_through) {
      return absl::InvalidArgumentError("read_time: has not come yet by the database's clock");
    }
    if (!past->horizon || *question.at >= *past->horizon) {
      explanation.then = past->levels.front();
      before = explanation.then->reading.version + question.movements / 2 + 1;
    }
  }
  auto page =
      movements({.key = explanation.key, .before = before, .limit = question.movements}, deadline);
  if (!page.ok()) return page.status();
  explanation.earlier = page->more;
  explanation.movements = std::move(page->movements);
  for (const Finding& finding : explanation.findings) {
    auto successor = successor_of(finding, explanation, deadline);
    if (!successor.ok()) return successor.status();
    explanation.successors.push_back(*std::move(successor));
  }
  for (KeyExplanation::Outside& outside : explanation.outside) {
    auto successor = successor_of(outside.judged.finding, explanation, deadline);
    if (!successor.ok()) return successor.status();
    outside.successor = *std::move(successor);
  }
  return absl::OkStatus();
}

// What was told in another incarnation is of other versions and dates.
absl::Status Examiner::add_outside(Archive& archive, KeyExplanation& explanation) const {
  const auto kept = archive.testimonies(explanation.key, options_.instances);
  if (!kept.ok()) return kept.status();
  const domain::LocalTime now = clock_.now();
  const auto earliest = database_clock_.earliest(now);
  const auto latest = database_clock_.latest(now);
  if (!earliest || !latest) {
    return absl::UnavailableError("the database's clock has not been measured yet");
  }
  std::vector<Told> told;
  std::vector<const Told*> asked;
  told.reserve(kept->size());
  for (const KeptTestimony& one : *kept) {
    asked.push_back(&told.emplace_back(Told{one.testimony, one.dates}));
  }
  auto judged = judge_by(archive, asked, Span{.earliest = *earliest, .latest = *latest});
  if (!judged.ok()) return judged.status();
  explanation.asked = *latest;
  for (std::size_t i = 0; i < told.size(); ++i) {
    Judged& one = (*judged)[i];
    const domain::Incarnation told_in = (*kept)[i].incarnation;
    if (one.incarnation != told_in && told_in != 0 && one.incarnation != 0) {
      one.finding.judgement = {.verdict = Verdict::kInconclusive};
    }
    explanation.outside.push_back({std::move(told[i]), std::move(one), std::nullopt});
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<domain::Movement>> Examiner::successor_of(
    const Finding& finding, const KeyExplanation& explanation, domain::LocalTime deadline) const {
  const domain::Version version = finding.judgement.superseded_by;
  if (version == 0) return std::nullopt;
  if (const domain::Movement* known = find(explanation.movements, version)) return *known;
  const auto its = movements({.key = explanation.key, .before = version + 1, .limit = 1}, deadline);
  if (!its.ok()) return its.status();
  const domain::Movement* const found = find(its->movements, version);
  return found == nullptr ? std::nullopt : std::optional(*found);
}

absl::StatusOr<layers::MovementPage> Examiner::movements(layers::MovementQuery query,
                                                         domain::LocalTime deadline) const {
  return wait_for<layers::MovementPage>([&](auto done) {
    catalogue_.movements(std::move(query), {.fully_consistent = true}, {.deadline = deadline},
                         std::move(done));
  });
}

}  // namespace stock::drift
