#include "stock/rpc/flag_findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "stock/drift/flag_words.h"

namespace stock::rpc {
namespace {

constexpr char kWitness[] = "flags";

void add_forked(const FlagRooms& flags, const std::string& cohort, const layers::FlagAnswer& answer,
                const domain::Flagged& view, v1::FlaggedAvailability flagged,
                v1::KeyExplanation& key) {
  const std::int64_t available = key.counts().available();
  v1::Finding& finding = *key.add_findings();
  v1::Statement& statement = *finding.mutable_statement();
  statement.set_witness(kWitness);
  statement.set_instance(cohort);
  statement.set_outcome(v1::OUTCOME_HIT);
  *statement.mutable_flagged() = std::move(flagged);
  finding.set_verdict(v1::VERDICT_FORKED);
  finding.set_units(view.available - std::max<std::int64_t>(available, 0));
  std::string words = drift::flag_words(cohort, flags.flags, *answer.said, view, available);
  if (answer.unreachable) words += "; so it said last, the flag service does not answer";
  finding.set_words(std::move(words));
}

// No cohort is made to see anything else.
void add_agreement(bool unreachable, v1::KeyExplanation& key) {
  v1::Finding& finding = *key.add_findings();
  v1::Statement& statement = *finding.mutable_statement();
  statement.set_witness(kWitness);
  statement.set_outcome(unreachable ? v1::OUTCOME_ERROR : v1::OUTCOME_HIT);
  if (unreachable) {
    statement.set_detail("the flag service does not answer");
    finding.set_verdict(v1::VERDICT_UNREACHABLE);
    finding.set_words("the flag service does not answer: all cohorts see what there is");
  } else {
    statement.mutable_flagged()->set_available(std::max<std::int64_t>(key.counts().available(), 0));
    finding.set_verdict(v1::VERDICT_CURRENT);
    finding.set_words("no flag changes what the cohorts see");
  }
}

void add(const DriftRooms& rooms, const std::vector<layers::FlagAnswer>& answers,
         v1::ExplainStockLevelResponse& response) {
  const FlagRooms& flags = *rooms.flags;
  const domain::LocalTime now = rooms.clock.now();
  auto answer = answers.begin();
  for (v1::KeyExplanation& key : *response.mutable_keys()) {
    bool any = false;
    bool unreachable = false;
    for (const std::string& cohort : flags.cohorts) {
      v1::FlaggedAvailability flagged;
      const domain::Flagged view =
          to_proto(flags, cohort, *answer, key.counts().available(), now, flagged);
      if (view.forked()) add_forked(flags, cohort, *answer, view, std::move(flagged), key);
      any = any || view.forked();
      unreachable = unreachable || answer->unreachable;
      ++answer;
    }
    if (!any) add_agreement(unreachable, key);
  }
}

}  // namespace

void add_flag_findings(const DriftRooms& rooms, domain::LocalTime deadline,
                       v1::ExplainStockLevelResponse& response, absl::AnyInvocable<void()> done) {
  if (rooms.flags == nullptr || rooms.flags->cohorts.empty() || response.keys().empty()) {
    return done();
  }
  std::vector<layers::FlagQuestion> questions;
  for (const v1::KeyExplanation& key : response.keys()) {
    const domain::Key named{key.key().sku(), key.key().location()};
    for (auto& question : for_all_cohorts(*rooms.flags, named)) {
      questions.push_back(std::move(question));
    }
  }
  layers::FlagReader& reader = rooms.flags->reader;
  reader.evaluate(std::move(questions), std::min(deadline, rooms.clock.now() + reader.patience()),
                  [&rooms, &response,
                   done = std::move(done)](const std::vector<layers::FlagAnswer>& answers) mutable {
                    add(rooms, answers, response);
                    done();
                  });
}

}  // namespace stock::rpc
