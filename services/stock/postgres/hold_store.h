// Holds whose time is over.
#pragma once

#include <vector>

#include "stock/ledger/sweeper.h"
#include "stock/postgres/session.h"

namespace stock::postgres {

class HoldStore final : public ledger::EndedHolds {
 public:
  // `session` is to the primary, and nobody else's.
  explicit HoldStore(Session& session) : session_(session) {}

  absl::StatusOr<std::vector<ledger::EndedHold>> ended(std::int32_t limit,
                                                       const ledger::EndedHold& after) override;

 private:
  Session& session_;
};

}  // namespace stock::postgres
