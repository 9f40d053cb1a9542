// Removing what lies behind a ledger's horizon, in small steps, each a transaction of its own. What
// is interrupted is gone on with by doing it again. Blocks; one thread; all errors end here.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace stockctl {

struct Database;

class LedgerPruning {
 public:
  // `url` as libpq takes it: as owner or superuser. UNAVAILABLE: no database there.
  static absl::StatusOr<std::unique_ptr<LedgerPruning>> connect(const std::string& url);
  ~LedgerPruning();

  struct Tally {
    std::string horizon;  // an instant, with its time zone
    // Removed, or in a dry run, to be removed.
    std::int64_t requests = 0;
    std::int64_t reservations = 0;
    std::int64_t movements = 0;
    std::int64_t looked_at = 0;  // movements, of about `total`
    std::int64_t total = 0;
    bool complete = false;  // false: interrupted
  };
  struct Options {
    std::chrono::seconds older_than{0};  // at least one hour
    bool dry_run = false;
    std::int64_t rows = 5'000;  // looked at in one step; at least 2
  };
  // Moves the horizon to `older_than` ago, if it is not later already, and removes what is behind
  // it. `go_on` is asked after each step. FAILED_PRECONDITION: not for this user, or not this
  // ledger.
  absl::StatusOr<Tally> prune(const Options& options,
                              const std::function<bool(const Tally&)>& go_on);

 private:
  explicit LedgerPruning(std::unique_ptr<Database> database);
  std::unique_ptr<Database> database_;
};

}  // namespace stockctl
