#include "stock/domain/level.h"

namespace stock::domain {
namespace {

bool in_range(std::int64_t count) { return count >= 0 && count <= kMaxCount; }

}  // namespace

bool in_range(const Counts& counts) {
  return in_range(counts.on_hand) && in_range(counts.reserved) && in_range(counts.committed) &&
         in_range(counts.safety_stock) && in_range(counts.backorder_limit);
}

Counts difference(const Counts& a, const Counts& b) {
  return {.on_hand = a.on_hand - b.on_hand,
          .reserved = a.reserved - b.reserved,
          .committed = a.committed - b.committed,
          .safety_stock = a.safety_stock - b.safety_stock,
          .backorder_limit = a.backorder_limit - b.backorder_limit};
}

}  // namespace stock::domain
