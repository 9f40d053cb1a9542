// Can these cart lines be sold? Pure.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "stock/domain/key.h"
#include "stock/domain/reading.h"

namespace stock::rpc {

struct Line {
  std::string sku;
  std::string location;  // empty: wherever it is
  std::int64_t quantity = 0;
};

struct LineAnswer {
  bool found = false;
  std::int64_t available = 0;  // for this line, after the lines before it
  std::int64_t shortfall = 0;
};

// Lines are served in order and compete for the same stock: first those before, then those behind.
// A line without a location takes from the locations in the order of `locations`. `readings` has
// every key that the lines can touch.
std::vector<LineAnswer> check_availability(
    std::span<const Line> lines, std::span<const std::string> locations,
    const absl::flat_hash_map<domain::Key, domain::Reading>& readings);

}  // namespace stock::rpc
