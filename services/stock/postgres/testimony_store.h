// The testimonies, as their keeper writes them.
#pragma once

#include <span>
#include <vector>

#include "stock/drift/archive.h"
#include "stock/postgres/session.h"

namespace stock::postgres {

class TestimonyStore final : public drift::TestimonyStore {
 public:
  // `session` is to the primary, and nobody else's.
  explicit TestimonyStore(Session& session) : session_(session) {}

  absl::Status keep(std::span<const drift::KeptTestimony> testimonies) override;
  absl::StatusOr<std::vector<Rows>> prune(std::int64_t rows_per_witness) override;

 private:
  Session& session_;
};

}  // namespace stock::postgres
