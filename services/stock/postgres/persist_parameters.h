// A batch of movements and requests as the columns that sql::persist() takes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "stock/ledger/store.h"

namespace stock::postgres {

class PersistParameters {
 public:
  PersistParameters(std::span<const ledger::PlannedMovement> movements,
                    std::span<const ledger::Request* const> requests);

  [[nodiscard]] const std::vector<std::string>& columns() const { return columns_; }
  // How many levels they are to update, and to create.
  [[nodiscard]] std::int64_t updates() const { return updates_; }
  [[nodiscard]] std::int64_t creations() const { return creations_; }

 private:
  void add_movements(std::span<const ledger::PlannedMovement> movements);
  void add_requests(std::span<const ledger::PlannedMovement> movements,
                    std::span<const ledger::Request* const> requests);

  std::vector<std::string> columns_;
  std::int64_t updates_ = 0;
  std::int64_t creations_ = 0;
};

}  // namespace stock::postgres
