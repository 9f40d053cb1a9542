#pragma once

#include <cstddef>
#include <ostream>
#include <string>
#include <string_view>

#include "stock/v1/provenance.pb.h"
#include "stockctl/text/terminal.h"

namespace stockctl {

// "memory", "redis", "replica", "primary".
std::string_view name_of(stock::v1::Layer layer);

// What each layer said, on as many lines as it needs, each after the first indented by `indent`
// columns (the first is expected to begin there); then, one per line, what went wrong:
//   memory miss 3 µs → redis timeout 50 ms → primary hit 1.8 ms
//   redis: no answer within 50 ms
void print_trail(std::ostream& out, const stock::v1::Provenance& provenance, std::size_t indent,
                 const Terminal& terminal);

// One line under a table: how old its oldest part is and who answered; then the trail.
void print_provenance(std::ostream& out, const stock::v1::Provenance& provenance,
                      const Terminal& terminal);

// The provenance of an answer that came in several parts: the greatest ages, every visit.
void merge_provenance(stock::v1::Provenance& whole, const stock::v1::Provenance& part);

}  // namespace stockctl
