// The incidents, as their keeper reads and writes them.
#pragma once

#include <vector>

#include "stock/drift/incident_store.h"
#include "stock/postgres/session.h"

namespace stock::postgres {

class IncidentStore final : public drift::IncidentStore {
 public:
  // `session` is to the primary, and nobody else's.
  explicit IncidentStore(Session& session) : session_(session) {}

  absl::StatusOr<std::vector<drift::Incident>> decide(
      absl::FunctionRef<void(drift::Docket&)> work) override;
  absl::StatusOr<std::vector<drift::Incident>> changed_since(std::int64_t revision,
                                                             std::int32_t limit) override;
  absl::StatusOr<drift::Edition> newest() override;
  absl::StatusOr<Open> open() override;
  absl::Status prune(std::chrono::milliseconds retention) override;

 private:
  Session& session_;
};

}  // namespace stock::postgres
