// The rollups, the sales that were counted and the position, in schema `analytics`
// (deploy/postgres/analytics).
//
// A batch and the position behind it become true in one transaction, so that each movement counts
// once whatever ends this process, the connection or the database, and whenever. Whoever counts
// locks the position first and goes on only if it is where it believed: of two processes one counts
// a batch, and the other one hears that it was moved. Belongs to one thread, as its session does.
// Errors are those of stock::postgres::Session.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "analytics/inbox.h"
#include "analytics/rollup.h"
#include "stock/postgres/session.h"

namespace analytics {

struct Position {
  std::int64_t revision = 0;
  std::string token;  // empty: from the beginning
  std::optional<DatabaseTime> watermark;
};

// What was written, when it can be shared: another process may have been the one that did.
struct Applied {
  Position position;
  Counting counting;
};

struct Rollup {
  Window window;
  std::int64_t units = 0;
};

// Rollups that have changed since they were testified, the newest hours first, then those that were
// contradicted a minute ago or more; and the position that they belong to.
struct Untold {
  Position position;
  std::vector<Rollup> rollups;
};

class RollupStore {
 public:
  explicit RollupStore(stock::postgres::Session& session) : session_(session) {}

  absl::StatusOr<Position> position();
  // Nothing: the position is not `from` any more. A batch that was applied already, by a
  // transaction whose end nobody heard of, is not applied again.
  absl::StatusOr<std::optional<Applied>> apply(const Position& from, const Batch& batch);
  // The stream is to be read from the beginning; what was counted stays counted.
  absl::Status begin_anew();

  absl::StatusOr<Untold> untold(std::int64_t limit);
  // `contradicted`: by the ledger, each of them or not.
  absl::Status told(const std::vector<Rollup>& rollups, const std::vector<bool>& contradicted);

 private:
  stock::postgres::Session& session_;
};

}  // namespace analytics
