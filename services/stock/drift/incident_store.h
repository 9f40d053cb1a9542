// Where incidents are kept. Implemented in postgres/.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "stock/domain/time.h"
#include "stock/drift/docket.h"
#include "stock/drift/incident.h"

namespace stock::drift {

// Blocks, for as long as a statement may take; used by one thread, the keeper's. Errors:
// UNAVAILABLE and DEADLINE_EXCEEDED; what was decided may then have been written, and comes to
// nothing when it is decided again.
class IncidentStore {
 public:
  virtual ~IncidentStore() = default;
  // Lets `decide` decide upon the open incidents while nobody else does, and writes what it
  // changed. Those that were written, as they are now.
  virtual absl::StatusOr<std::vector<Incident>> decide(absl::FunctionRef<void(Docket&)> work) = 0;
  // Those that changed after a revision, in the order of revisions, at most `limit`.
  virtual absl::StatusOr<std::vector<Incident>> changed_since(std::int64_t revision,
                                                              std::int32_t limit) = 0;
  virtual absl::StatusOr<Edition> newest() = 0;
  // Those that are open, as of an edition or later.
  struct Open {
    std::vector<Incident> incidents;
    Edition edition;
  };
  virtual absl::StatusOr<Open> open() = 0;
  // Removes those that were closed so long ago.
  virtual absl::Status prune(std::chrono::milliseconds retention) = 0;
};

struct IncidentQuery {
  bool open_only = false;
  std::string layer;  // that told it, first or later; empty here and below: any
  std::optional<Verdict> verdict;
  std::string sku;
  std::int64_t before = 0;  // id; 0: from the newest on
  std::int32_t limit = 100;
};
[[nodiscard]] bool matches(const Incident& incident, const IncidentQuery& query);

struct IncidentPage {
  std::vector<Incident> incidents;  // newest first; without those that were merged into others
  bool more = false;
};

// Thread-safe.
class IncidentList {
 public:
  virtual ~IncidentList() = default;
  // `done` is called once, on any thread. Errors: UNAVAILABLE, DEADLINE_EXCEEDED,
  // RESOURCE_EXHAUSTED.
  using Done = absl::AnyInvocable<void(absl::StatusOr<IncidentPage>)>;
  virtual void list(IncidentQuery query, domain::LocalTime deadline, Done done) = 0;
};

}  // namespace stock::drift
