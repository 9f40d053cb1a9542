// Whether a ledger keeps its invariants, asked of the database itself, and the repair of counts
// that its reservations do not explain. Blocks; one thread; all errors end here.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "stockctl/ledger/checks.h"

namespace stockctl {

struct Database;

class LedgerExamination {
 public:
  // `url` as libpq takes it; whoever may read the ledger may examine it. UNAVAILABLE: no database
  // there.
  static absl::StatusOr<std::unique_ptr<LedgerExamination>> connect(const std::string& url);
  ~LedgerExamination();

  struct Finding {
    std::string subject;
    std::string says;
  };
  struct Result {
    const Check* check = nullptr;
    std::int64_t findings = 0;
    std::int64_t repairable = 0;  // of them
    std::vector<Finding> first;   // up to 20 of them, in order of subject
  };
  struct Report {
    std::vector<Result> results;  // one for each check
    std::int64_t levels = 0;      // this and the next three: how much was examined
    std::int64_t movements = 0;
    std::int64_t reservations = 0;
    std::int64_t requests = 0;
    std::chrono::nanoseconds time{0};

    [[nodiscard]] std::int64_t findings() const;
    [[nodiscard]] std::int64_t repairable() const;
  };
  // Runs all checks in one snapshot, read only. Errors: those of current_failure().
  absl::StatusOr<Report> examine();

  // Makes the counts of levels what their reservations explain, by a movement of kind DIRECT each;
  // how many levels. Writes to these levels wait meanwhile. After an error some may be repaired,
  // and repairing again goes on with the others. FAILED_PRECONDITION: not for this user.
  absl::StatusOr<std::int64_t> repair();

 private:
  explicit LedgerExamination(std::unique_ptr<Database> database);
  std::unique_ptr<Database> database_;
};

}  // namespace stockctl
