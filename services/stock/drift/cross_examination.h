// Asks layers about keys, beside the read path (through it, looking would repair what it measures),
// and judges what they say by the ledger.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <vector>

#include "absl/status/statusor.h"
#include "stock/clock/database_clock.h"
#include "stock/clock/local_clock.h"
#include "stock/domain/key.h"
#include "stock/drift/history.h"
#include "stock/drift/inquiry.h"
#include "stock/drift/verdict.h"
#include "stock/layers/layer.h"

namespace stock::drift {

// Used by one thread, but that others may ask() meanwhile. Everything passed in outlives it.
class CrossExamination {
 public:
  // Of each key (inner), as each witness has it (outer).
  using Findings = std::vector<std::vector<Finding>>;

  // A witness that has not answered within `patience` is unreachable. `judge` gives the verdicts.
  CrossExamination(std::vector<layers::Layer*> witnesses, HistorySource& history,
                   const clock::DatabaseClock& database_clock, const clock::LocalClock& clock,
                   std::chrono::nanoseconds patience, Compare judge = &compare);

  // Blocks. First all witnesses are asked, at the same time (but for one that named the keys, and
  // said then what it has of them); only then the ledger: what a witness says and the ledger does
  // not know is made up. Whoever contradicts the ledger is asked once
  // more, and what comes of that counts. A second kStale stands only when the version is lower than
  // what the first history showed: that was visible to everybody before the second question, so
  // that nobody is accused because a commit was just becoming visible. A second kAhead stands only
  // when the second history still lacks what was said the first time, and all transactions are over
  // that were writing then: a standby shows a commit before the primary does, by as long as the
  // primary's process is kept from saying so. (While one of those stays open, nobody is accused of
  // being ahead.) The same holds for a heartbeat that the ledger does not know. None stands when
  // the ledger became another between the questions.
  //
  // Errors: those of the history; UNAVAILABLE as long as the database's clock is not known;
  // CANCELLED when `stop` is requested.
  absl::StatusOr<Findings> examine(std::span<const domain::Key> keys, const std::stop_token& stop);
  // The same of some of the witnesses, by their indices.
  absl::StatusOr<Findings> examine(std::span<const domain::Key> keys,
                                   std::span<const std::size_t> witnesses,
                                   const std::stop_token& stop);

  // The two halves of it, so that witnesses answer about some keys while others are judged.
  using Asked = std::shared_ptr<Inquiry>;
  // `made`: what one of `witnesses`, by its index among these, has said of the keys already, when
  // it named them.
  Asked ask(std::vector<domain::Key> keys, std::span<const std::size_t> witnesses,
            std::optional<Inquiry::Made> made = std::nullopt) const;
  // Once. `witnesses` are those that were asked.
  absl::StatusOr<Findings> judge(Inquiry& asked, std::span<const std::size_t> witnesses,
                                 const std::stop_token& stop);

  [[nodiscard]] std::size_t witnesses() const { return witnesses_.size(); }

 private:
  struct Look;

  absl::StatusOr<Look> look(Inquiry& asked, const std::stop_token& stop);

  absl::Status read_histories(std::span<const domain::Key> keys, Look& look);

  const std::vector<layers::Layer*> witnesses_;
  HistorySource& history_;
  const clock::DatabaseClock& database_clock_;
  const clock::LocalClock& clock_;
  const std::chrono::nanoseconds patience_;
  const Compare judge_;
};

}  // namespace stock::drift
