// An incident: a divergence from its first sighting until nobody tells it any more.
//
// It is opened by a sighting, looked at again until all who told the lie tell another one, the
// truth or nothing, and then closed. Whoever tells the same wrong thing of the same key is in the
// same incident: they have it from each other, or from one source. Beyond a few keys, all on which
// one layer earns one verdict are one incident with a count: a poisoned cache has one cause.
//
// Kept in the ledger's database, and the same for all processes. Plain values; the decisions are in
// docket.h.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "stock/domain/key.h"
#include "stock/domain/reading.h"
#include "stock/domain/time.h"
#include "stock/drift/verdict.h"

namespace stock::drift {

// Who tells a lie of what. `witness`: the layer's name where all processes share it, else with the
// process that it belongs to: "memory@stockd-1".
struct Teller {
  std::string witness;
  domain::Key key;
  auto operator<=>(const Teller&) const = default;
};

struct Incident {
  std::int64_t id = 0;  // 1, 2, 3... in the order of opening; 0: not written yet
  // Of its last change. Whoever has seen all up to a revision has missed none before it.
  std::int64_t revision = 0;
  bool is_new = false;  // it was written for the first time just now

  // The first sighting. As evidence it stays as it was. Its `detail` and dates of this process are
  // not kept.
  domain::Key key;
  std::string layer;
  Finding finding;

  // Everybody who ever told it, in the order of their doing so, and those who still do. Of the
  // latter at most kMaxStanding are remembered: a count of more keys is a lower bound.
  std::vector<std::string> witnesses;
  std::vector<Teller> standing;
  std::int64_t keys = 1;  // on which it was ever told
  bool grouped = false;   // it stands for all of its layer and verdict

  domain::DatabaseTime opened_at;
  domain::DatabaseTime last_seen_at;
  std::optional<domain::DatabaseTime> closed_at;
  std::int64_t merged_into = 0;  // closed because that incident tells of it too

  [[nodiscard]] bool open() const { return !closed_at; }
  // On which it is still told.
  [[nodiscard]] std::int64_t keys_open() const;
};

// How far incidents are known. What a failover or a restore has lost it took the revisions of,
// which are given to others then: each incarnation of the ledger counts for itself.
struct Edition {
  domain::Incarnation incarnation = 0;
  std::int64_t revision = 0;  // the newest of all
};

inline constexpr std::size_t kMaxStanding = 1000;

}  // namespace stock::drift
