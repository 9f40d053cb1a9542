// The ledger's history, as whoever judges testimonies needs it besides, and the testimonies that
// are kept. Implemented in postgres/.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "stock/domain/key.h"
#include "stock/drift/history.h"
#include "stock/drift/testimony.h"

namespace stock::drift {

// A claim without a version.
struct Sought {
  domain::Key key;
  Extent extent = Extent::kCounts;
  bool exists = true;
  domain::Counts counts;
  domain::DatabaseTime by;
};

// Where it was so.
struct FoundVersion {
  // The newest that was so and had been made by then; and the newest that was so at all. None, of
  // those that were looked at, where there is nothing.
  std::vector<domain::Version> versions;
  // Only from this one on was looked.
  domain::Version oldest = 1;
};

struct SoldQuestion {
  domain::Key key;  // without a location: all
  SoldWindow window;
  domain::DatabaseTime through;  // seen by everybody until then
};

struct SoldAnswer {
  Sold sold;
  bool pruned = false;  // the window began before history is kept
};

// A testimony that is the last one of its witness, instance, key, cohort and window.
struct KeptTestimony {
  Testimony testimony;
  Dates dates;
  domain::Incarnation incarnation = 0;  // that it was judged in
  bool lies = false;                    // as it was judged then
};

// Used by one thread at a time.
class Archive : public HistorySource {
 public:
  // All of these block, answer one for one, and fail like histories().
  virtual absl::StatusOr<std::vector<FoundVersion>> find(std::span<const Sought> sought) = 0;
  virtual absl::StatusOr<std::vector<SoldAnswer>> sold(std::span<const SoldQuestion> questions) = 0;
  // Of each witness up to `instances` of a key: those that lied first, then the latest.
  virtual absl::StatusOr<std::vector<KeptTestimony>> testimonies(const domain::Key& key,
                                                                 std::int32_t instances) = 0;
};

// Lends out archives. Implemented in postgres/.
class HistoryDesk {
 public:
  virtual ~HistoryDesk() = default;
  // Called once: with one that is nobody else's meanwhile, on a thread that may be blocked; or with
  // the reason why there is none, on any thread, which it must not block.
  using Task = absl::AnyInvocable<void(absl::StatusOr<Archive*>)>;
  virtual void submit(domain::LocalTime deadline, Task task) = 0;
};

// Where testimonies are kept. Blocks; used by one thread.
class TestimonyStore {
 public:
  virtual ~TestimonyStore() = default;
  // Those that are newer than what is there of the same. Errors: UNAVAILABLE, DEADLINE_EXCEEDED.
  virtual absl::Status keep(std::span<const KeptTestimony> testimonies) = 0;
  // Removes of each witness the oldest beyond so many. How many there are then, by witness.
  struct Rows {
    std::string witness;
    std::int64_t rows = 0;
  };
  virtual absl::StatusOr<std::vector<Rows>> prune(std::int64_t rows_per_witness) = 0;
};

}  // namespace stock::drift
