#include "stockctl/files/opening_stock.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace stockctl {
namespace {

struct Demand {
  std::int64_t now = 0;
  std::int64_t largest = 0;
  std::int64_t first_line = std::numeric_limits<std::int64_t>::max();
};

std::int64_t saturated_sum(std::int64_t a, std::int64_t b) {
  std::int64_t sum;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return b > 0 ? std::numeric_limits<std::int64_t>::max()
               : std::numeric_limits<std::int64_t>::min();
}

}  // namespace

StockTable opening_stock(Sales sales, std::int64_t margin, const BadLineSink& bad_line) {
  std::vector<Demand> demands(sales.keys.size());
  for (const SalesLine& line : sales.lines) {
    Demand& demand = demands[line.key];
    demand.now = saturated_sum(demand.now, line.quantity);
    demand.largest = std::max(demand.largest, demand.now);
    demand.first_line = std::min(demand.first_line, line.line);
  }
  StockTable stock{.rows = {}, .keys = std::move(sales.keys)};
  stock.rows.reserve(demands.size());
  for (std::uint32_t key = 0; key < demands.size(); ++key) {
    const std::int64_t needed = saturated_sum(demands[key].largest, margin);
    if (needed > kMaxCount) {
      bad_line(demands[key].first_line, "its SKU sells more than 10^15 in this file");
      continue;
    }
    stock.rows.push_back({.on_hand = needed,
                          .safety_stock = std::nullopt,
                          .line = demands[key].first_line,
                          .key = key});
  }
  return stock;
}

}  // namespace stockctl
