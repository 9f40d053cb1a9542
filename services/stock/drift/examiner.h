// Looks into keys when somebody asks: what every witness says of them, beside the read path, and
// what the ledger says of that. Repairs, when somebody asks for that too.
//
// Thread-safe. All of it is bounded: as many questions are under way as the desk has sources of
// history, a few more wait, and the next one is RESOURCE_EXHAUSTED. Outlives its calls, and what it
// is given outlives it.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "stock/clock/database_clock.h"
#include "stock/clock/local_clock.h"
#include "stock/domain/key.h"
#include "stock/domain/movement.h"
#include "stock/drift/archive.h"
#include "stock/drift/cross_examination.h"
#include "stock/drift/history.h"
#include "stock/drift/judge.h"
#include "stock/drift/repairer.h"
#include "stock/layers/catalogue_path.h"
#include "stock/layers/layer.h"

namespace stock::drift {

struct Question {
  std::string sku;
  std::string location;                    // empty: all that have a level
  std::optional<domain::DatabaseTime> at;  // of interest; nothing: now
  std::int32_t movements = 10;             // of each key, at most
};

// What there is to say of one key.
struct KeyExplanation {
  domain::Key key;
  // What the ledger says when the witnesses have been asked, whoever of them answered: its newest
  // version, and the counts of that.
  domain::Version newest = 0;
  VersionFact truth;
  std::vector<Finding> findings;  // one per witness
  // One for one: the movement that replaced the version which the witness claims.
  std::vector<std::optional<domain::Movement>> successors;
  // Newest first: the last ones, or those around the instant of interest.
  std::vector<domain::Movement> movements;
  bool earlier = false;  // there are earlier movements
  // What witnesses outside told last: of each those that lied first, then the latest.
  struct Outside {
    Told told;
    Judged judged;
    std::optional<domain::Movement> successor;
  };
  std::vector<Outside> outside;
  domain::DatabaseTime asked;  // when those were judged
  // At the instant of interest; nothing: none was asked for, or it lies behind the horizon.
  std::optional<layers::PastLevel> then;
};

struct Explanation {
  std::vector<KeyExplanation> keys;
  bool more = false;  // locations than were looked into
};

class Examiner {
 public:
  struct Options {
    std::chrono::nanoseconds patience = std::chrono::seconds(1);  // with each witness
    std::chrono::nanoseconds timeout = std::chrono::seconds(10);  // of a call that names none
    std::int32_t locations = 20;                                  // of one question
    std::int32_t instances = 3;  // of each witness outside, of one key
  };

  Examiner(const Options& options, std::vector<layers::Layer*> witnesses, HistoryDesk& desk,
           const layers::CataloguePath& catalogue, Repairer& repairer,
           const clock::DatabaseClock& database_clock, const clock::LocalClock& clock);

  template <typename Answer>
  using Done = absl::AnyInvocable<void(absl::StatusOr<Answer>)>;

  // `done` is called once, on any thread. Errors: UNAVAILABLE, DEADLINE_EXCEEDED,
  // RESOURCE_EXHAUSTED.
  void explain(Question question, domain::LocalTime deadline, Done<Explanation> done);
  // Distinct keys.
  void audit(std::vector<domain::Key> keys, domain::LocalTime deadline,
             Done<CrossExamination::Findings> done);

  struct Repaired {
    CrossExamination::Findings before;
    CrossExamination::Findings after;
  };
  // Also when there is nothing to repair. Errors also: those of Repairer::repair().
  void repair(Repairer::Order order, domain::LocalTime deadline, Done<Repaired> done);

  // In the order of findings.
  [[nodiscard]] std::vector<std::string_view> witnesses() const;

 private:
  template <typename Answer, typename Work>
  void submit(domain::LocalTime deadline, Done<Answer> done, Work work);
  absl::StatusOr<CrossExamination::Findings> examine(HistorySource& history,
                                                     const std::vector<domain::Key>& keys) const;
  absl::StatusOr<Explanation> explain(Archive& archive, const Question& question,
                                      domain::LocalTime deadline) const;
  absl::StatusOr<std::vector<domain::Key>> keys_of(Archive& archive,
                                                   const Question& question) const;
  absl::Status add_history(const Question& question, domain::LocalTime deadline,
                           KeyExplanation& explanation) const;
  absl::Status add_outside(Archive& archive, KeyExplanation& explanation) const;
  absl::StatusOr<std::optional<domain::Movement>> successor_of(const Finding& finding,
                                                               const KeyExplanation& explanation,
                                                               domain::LocalTime deadline) const;
  absl::StatusOr<layers::MovementPage> movements(layers::MovementQuery query,
                                                 domain::LocalTime deadline) const;

  const Options options_;
  const std::vector<layers::Layer*> witnesses_;
  HistoryDesk& desk_;
  const layers::CataloguePath& catalogue_;
  Repairer& repairer_;
  const clock::DatabaseClock& database_clock_;
  const clock::LocalClock& clock_;
};

}  // namespace stock::drift
