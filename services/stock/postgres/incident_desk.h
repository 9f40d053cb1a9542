// Lists incidents, to as many at a time as its pool has connections.
#pragma once

#include "stock/drift/incident_store.h"
#include "stock/postgres/pool.h"

namespace stock::postgres {

// The pool, of the primary, outlives it.
class IncidentDesk final : public drift::IncidentList {
 public:
  explicit IncidentDesk(Pool& pool) : pool_(pool) {}

  void list(drift::IncidentQuery query, domain::LocalTime deadline, Done done) override;

 private:
  Pool& pool_;
};

}  // namespace stock::postgres
