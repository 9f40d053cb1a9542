#include "analytics/rollup.h"

#include <set>

namespace analytics {

DatabaseTime hour_of(DatabaseTime time) {
  return DatabaseTime(std::chrono::floor<std::chrono::hours>(time.time_since_epoch()));
}

Counting count(std::span<const Sale> batch, std::map<Identity, Sale> remembered) {
  Counting counting;
  std::set<Identity> changed;
  const auto add = [&](const Sale& sale, std::int64_t units) {
    counting.changes[{sale.identity.key, hour_of(sale.committed_at)}] += units;
  };
  for (const Sale& sale : batch) {
    const auto [at, is_new] = remembered.try_emplace(sale.identity, sale);
    if (is_new) {
      ++counting.counted;
    } else if (at->second == sale) {
      ++counting.duplicates;
      continue;
    } else {
      ++counting.replaced;
      add(at->second, -at->second.units);
      at->second = sale;
    }
    add(sale, sale.units);
    changed.insert(sale.identity);
  }
  for (const Identity& identity : changed) counting.remember.push_back(remembered.at(identity));
  std::erase_if(counting.changes, [](const auto& change) { return change.second == 0; });
  return counting;
}

}  // namespace analytics
