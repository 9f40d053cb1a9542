// Lends out the ledger's history, to as many at a time as its pool has connections. Their number
// bounds what this can cost the database.
#pragma once

#include "stock/drift/archive.h"
#include "stock/postgres/asker.h"
#include "stock/postgres/pool.h"

namespace stock::postgres {

// The pool, of the primary, outlives it.
class HistoryDesk final : public drift::HistoryDesk {
 public:
  HistoryDesk(Pool& pool, Knowledge knowledge) : pool_(pool), knowledge_(knowledge) {}

  void submit(domain::LocalTime deadline, Task task) override;

 private:
  Pool& pool_;
  const Knowledge knowledge_;
};

}  // namespace stock::postgres
