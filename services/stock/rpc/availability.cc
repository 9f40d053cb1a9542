#include "stock/rpc/availability.h"

#include <algorithm>

namespace stock::rpc {

std::vector<LineAnswer> check_availability(
    std::span<const Line> lines, std::span<const std::string> locations,
    const absl::flat_hash_map<domain::Key, domain::Reading>& readings) {
  absl::flat_hash_map<domain::Key, std::int64_t> left;
  for (const auto& [key, reading] : readings) left[key] = reading.counts.sellable();

  std::vector<LineAnswer> answers;
  answers.reserve(lines.size());
  for (const Line& line : lines) {
    LineAnswer& answer = answers.emplace_back();
    const std::span<const std::string> places =
        line.location.empty() ? locations : std::span(&line.location, 1);
    std::int64_t wanted = line.quantity;
    for (const std::string& place : places) {
      const domain::Key key{line.sku, place};
      const auto reading = readings.find(key);
      if (reading == readings.end() || !reading->second.exists) continue;
      answer.found = true;
      std::int64_t& units = left[key];
      answer.available += units;
      const std::int64_t taken = std::min(units, wanted);
      units -= taken;
      wanted -= taken;
    }
    answer.shortfall = wanted;
  }
  return answers;
}

}  // namespace stock::rpc
