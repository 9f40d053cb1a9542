// What becomes of the open incidents when layers were looked at. Pure: the docket is read, decided
// upon and written by one process at a time (incident_store.h).
#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "stock/domain/time.h"
#include "stock/drift/incident.h"
#include "stock/drift/verdict.h"

namespace stock::drift {

// What a layer was seen to say of a key.
struct Sighting {
  Teller teller;
  std::string layer;
  bool lies = false;  // false: it tells the truth now, or nothing
  Finding finding;    // of a lie
  domain::DatabaseTime at;
};

// Whether a finding opens an incident. A false date, false counts and versions that there are not
// always do. Being behind with an honest date only does where readers would be served it: in memory
// and on the replica when it is older than the bound that they are promised; never in redis, where
// copies that were replaced wait to be replaced too, and readers reject them by their date.
[[nodiscard]] bool opens_incident(std::string_view layer, const Judgement& judgement,
                                  std::chrono::microseconds max_staleness);
// Whether it shows that a lie is not told any more. Who did not answer, or cannot be judged, shows
// nothing.
[[nodiscard]] bool shows_recovery(Verdict verdict);

class Docket {
 public:
  // Keys of one layer and verdict that have an incident of their own before all become one.
  static constexpr std::size_t kOwn = 3;
  // That something was seen again is written this often.
  static constexpr std::chrono::seconds kSeenEvery{5};

  // All that are open, oldest first.
  explicit Docket(std::vector<Incident> open);

  void saw(const Sighting& sighting);
  // Whoever of `tellers` was not heard of since `before` is gone, and what he held with him: by
  // default the processes, whose own layers nobody else can look at.
  void forget_gone(domain::DatabaseTime before, domain::DatabaseTime now,
                   absl::FunctionRef<bool(const Teller&)> tellers = is_of_process);
  static bool is_of_process(const Teller& teller);

  // Those to be written: changed or closed, and new ones without an id.
  [[nodiscard]] std::vector<Incident*> changed();

 private:
  struct Entry {
    Incident incident;
    bool changed = false;
    bool absorbed = false;  // by another one, before it was ever written
  };

  Entry* standing(const Teller& teller);
  void leave(Entry& entry, const Teller& teller, domain::DatabaseTime at);
  void join(Entry& entry, const Sighting& sighting);
  void group(Entry& into, const std::vector<Entry*>& others, domain::DatabaseTime at);
  void open(const Sighting& sighting);

  std::vector<Entry> entries_;
};

}  // namespace stock::drift
