// Adopting a ledger that was restored from a dump. Done in the database itself, because stockd does
// not serve a ledger before it is adopted. Blocks; all errors end here.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace stockctl {

struct Database;

class LedgerAdoption {
 public:
  // `url` as libpq takes it. UNAVAILABLE: no database there.
  static absl::StatusOr<std::unique_ptr<LedgerAdoption>> connect(const std::string& url);
  ~LedgerAdoption();

  struct State {
    std::string database;
    std::int64_t ledger = 0;
    std::int64_t foreign_movements = 0;  // whose transaction ids are to be replaced
    bool at_home = false;                // the ledger was written in this very database
    std::int64_t writers = 0;            // sessions of stockd, and of others who may write
  };
  // FAILED_PRECONDITION: there is no ledger here, or not for this user to see.
  absl::StatusOr<State> state();
  // How many movements were adopted. FAILED_PRECONDITION: not for this user.
  absl::StatusOr<std::int64_t> adopt();

 private:
  explicit LedgerAdoption(std::unique_ptr<Database> database);
  std::unique_ptr<Database> database_;
};

}  // namespace stockctl
