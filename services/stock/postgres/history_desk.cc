#include "stock/postgres/history_desk.h"

#include <utility>

#include "stock/postgres/archive.h"

namespace stock::postgres {

void HistoryDesk::submit(domain::LocalTime deadline, Task task) {
  pool_.submit(deadline, [this, task = std::move(task)](absl::StatusOr<Session*> session) mutable {
    if (!session.ok()) return task(session.status());
    Archive archive(**session, knowledge_);
    task(&archive);
  });
}

}  // namespace stock::postgres
