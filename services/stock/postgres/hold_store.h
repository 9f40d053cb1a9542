// Holds whose time is over, and how many there are.
#pragma once

#include <vector>

#include "stock/ledger/sweeper.h"
#include "stock/postgres/session.h"

namespace stock::postgres {

class HoldStore final : public ledger::Holds {
 public:
  // `session` is to the primary, and nobody else's.
  explicit HoldStore(Session& session) : session_(session) {}

  absl::StatusOr<std::vector<ledger::EndedHold>> ended(std::int32_t limit,
                                                       const ledger::EndedHold& after) override;
  absl::StatusOr<std::int64_t> count(std::int64_t limit) override;

 private:
  Session& session_;
};

}  // namespace stock::postgres
