// Units sold by SKU, location and hour, and how a batch of sales changes them. Pure.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "stock/domain/key.h"
#include "stock/domain/time.h"

namespace analytics {

using stock::domain::DatabaseTime;
using stock::domain::Key;

// Names a movement. After the ledger lost some (a crash, a failover), another one may come by the
// same name.
struct Identity {
  Key key;
  std::int64_t version = 0;

  friend bool operator==(const Identity&, const Identity&) = default;
  friend std::strong_ordering operator<=>(const Identity&, const Identity&) = default;
};

// A movement by which a hold became a sale.
struct Sale {
  Identity identity;
  DatabaseTime committed_at;
  std::int64_t units = 0;

  friend bool operator==(const Sale&, const Sale&) = default;
};

// A rollup: what of a key, in the hour that begins then.
struct Window {
  Key key;
  DatabaseTime hour;

  friend bool operator==(const Window&, const Window&) = default;
  friend std::strong_ordering operator<=>(const Window& a, const Window& b) {
    if (const auto order = a.key <=> b.key; order != 0) return order;
    return a.hour.time_since_epoch().count() <=> b.hour.time_since_epoch().count();
  }
};

// Of UTC.
DatabaseTime hour_of(DatabaseTime time);

struct Counting {
  // To be remembered: those that are new, and those that take the place of another one.
  std::vector<Sale> remember;
  // By how many units; none by 0. Negative where a sale was replaced.
  std::map<Window, std::int64_t> changes;
  std::int64_t counted = 0;
  std::int64_t duplicates = 0;
  std::int64_t replaced = 0;
};

// `remembered`: of the sales of this batch, those that were counted before. What comes twice in a
// batch counts once, as it came last.
Counting count(std::span<const Sale> batch, std::map<Identity, Sale> remembered);

}  // namespace analytics
