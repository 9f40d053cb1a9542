#pragma once

#include <optional>
#include <ostream>
#include <string_view>

#include "stock/v1/drift_service.pb.h"
#include "stockctl/text/terminal.h"

namespace stockctl {

// The layer that a word names, if one does.
std::optional<stock::v1::Layer> layer_named(std::string_view word);
// "off", "drop", "refresh"; the policy that a word names, if one does.
std::string_view name_of(stock::v1::RepairPolicy policy);
std::optional<stock::v1::RepairPolicy> policy_named(std::string_view word);

// What each layer of an instance gains, what it costs, and what is set for it:
//   stockd-1, counting for 2 h 5 min
//
//   GAINS     STATE  ANSWERS  SHARE   HITS  READ P50      SAVED  DB READS SAVED
//   memory    on      1,204   93.2%  98.1%      4 µs      1.2 s           1,204
//   ...
//   COSTS   EXAMINED  WRONG  PER MILLION  WRONG NOW  AGE P50  AGE P99
//   memory     1,000      2        2,000          1    12 ms    25 ms
//
//   NINES IN  0 s  1 s  10 s  1 min  5 min  INCIDENTS  PER MILLION  UNIT-SECONDS
//   memory    2.7  2.9   3.3    3.3    3.3          1        1,661         1,234
//
// (Incidents: open ones, and those opened of a million answers.)
//   redis is off since 2026-11-24 02:07:09 UTC, by ana@desk: it lies
void print_layers(std::ostream& out, const stock::v1::ListLayersResponse& response,
                  const Terminal& terminal);

// What is set for one, after it was changed.
void print_setting(std::ostream& out, const stock::v1::LayerSetting& setting);

// What the layers would be asked if `without` were off, by what an instance counted between two
// answers: its hits go on to the layers behind it, which have them as often as they have others.
void print_what_if(std::ostream& out, const stock::v1::ListLayersResponse& before,
                   const stock::v1::ListLayersResponse& after, stock::v1::Layer without,
                   const Terminal& terminal);

}  // namespace stockctl
