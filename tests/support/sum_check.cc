#include "support/sum_check.h"

#include <algorithm>
#include <map>

namespace stock::support {
namespace {

using Candidate = EraTruth::Candidate;
using domain::Counts;
using domain::DatabaseTime;
using domain::Key;

// Beyond that many choices almost every sum can be, and nobody is accused.
constexpr std::size_t kMostChoices = 200'000;

bool exists(const Candidate& candidate) {
  return candidate.movement != nullptr && candidate.movement->exists;
}

// Calls `fits` with every choice of one candidate a place, until it says yes.
template <typename Fits>
bool any_choice(const std::vector<std::vector<Candidate>>& places, Fits fits) {
  std::size_t choices = 1;
  for (const auto& place : places) choices *= place.size();
  if (choices > kMostChoices) return true;
  std::vector<const Candidate*> chosen(places.size());
  for (std::size_t n = 0; n < choices; ++n) {
    std::size_t rest = n;
    for (std::size_t i = 0; i < places.size(); ++i) {
      chosen[i] = &places[i][rest % places[i].size()];
      rest /= places[i].size();
    }
    if (fits(chosen)) return true;
  }
  return false;
}

bool makes(const Total& total, const std::vector<const Candidate*>& parts) {
  Counts sum;
  std::int64_t available = 0;
  int found = 0;
  DatabaseTime since = DatabaseTime::min();
  DatabaseTime until = DatabaseTime::max();
  for (const Candidate* part : parts) {
    since = std::max(since, part->since);
    until = std::min(until, part->until);
    if (!exists(*part)) continue;
    const Counts& counts = part->movement->counts;
    ++found;
    sum.on_hand += counts.on_hand;
    sum.reserved += counts.reserved;
    sum.committed += counts.committed;
    sum.safety_stock += counts.safety_stock;
    sum.backorder_limit += counts.backorder_limit;
    available += std::max<std::int64_t>(
        counts.on_hand - counts.reserved - counts.committed - counts.safety_stock, 0);
  }
  return sum == total.counts && available == total.available && found == total.found &&
         (total.mixed || since <= until);
}

// What the place can give, and whether it has a level at all.
struct Shelf {
  bool found = false;
  std::int64_t units = 0;
};

Shelf shelf_of(const Candidate& candidate) {
  if (!exists(candidate)) return {};
  const Counts& counts = candidate.movement->counts;
  return {.found = true,
          .units = std::max<std::int64_t>(counts.on_hand - counts.reserved - counts.committed -
                                              counts.safety_stock + counts.backorder_limit,
                                          0)};
}

// Serves the lines one after the other.
bool serves(const std::vector<CartLine>& lines, std::map<std::string, Shelf> shelves) {
  return std::ranges::all_of(lines, [&](const CartLine& line) {
    bool found = false;
    std::int64_t available = 0;
    std::int64_t lacks = line.quantity;
    for (const std::string& location : line.locations) {
      Shelf& shelf = shelves[location];
      found = found || shelf.found;
      available += shelf.units;
      const std::int64_t taken = std::min(shelf.units, lacks);
      shelf.units -= taken;
      lacks -= taken;
    }
    return found == line.found && available == line.available && lacks == line.shortfall;
  });
}

}  // namespace

bool can_be(const Total& total, const CandidatesOf& candidates) {
  std::vector<std::vector<Candidate>> places;
  for (const std::string& location : total.locations) {
    places.push_back(candidates({total.sku, location}));
  }
  return any_choice(places, [&](const auto& parts) { return makes(total, parts); });
}

bool can_be(const std::vector<CartLine>& lines, const CandidatesOf& candidates) {
  std::vector<std::string> locations;
  for (const CartLine& line : lines) {
    locations.insert(locations.end(), line.locations.begin(), line.locations.end());
  }
  std::ranges::sort(locations);
  const auto same = std::ranges::unique(locations);
  locations.erase(same.begin(), same.end());
  std::vector<std::vector<Candidate>> places;
  for (const std::string& location : locations) {
    places.push_back(candidates({lines.front().sku, location}));
  }
  return any_choice(places, [&](const auto& chosen) {
    std::map<std::string, Shelf> shelves;
    for (std::size_t i = 0; i < locations.size(); ++i) shelves[locations[i]] = shelf_of(*chosen[i]);
    return serves(lines, std::move(shelves));
  });
}

}  // namespace stock::support
