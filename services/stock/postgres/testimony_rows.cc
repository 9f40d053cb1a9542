#include "stock/postgres/testimony_rows.h"

#include <cstdint>
#include <optional>

#include "stock/postgres/rows.h"

namespace stock::postgres {
namespace {

using std::chrono::microseconds;

constexpr std::array<std::string_view, 4> kExtents = {"counts", "available", "in_stock", "sold"};
constexpr std::size_t kColumns = 29;

std::optional<drift::WitnessTime> witness_time(const pqxx::field& field) {
  if (field.is_null()) return std::nullopt;
  return drift::WitnessTime(microseconds(number(field)));
}

drift::Span span(const pqxx::row& row, int first) {
  return {.earliest = time(row[first]), .latest = time(row[first + 1])};
}

// Column by column, as many as there are.
class Columns {
 public:
  template <typename Value>
  void add(const Value& value) {
    columns_[next_++ % kColumns].add(value);
  }
  void add(bool value) { add(std::int64_t{value}); }
  void add(domain::DatabaseTime at) { add(std::int64_t{at.time_since_epoch().count()}); }
  void add(drift::WitnessTime at) { add(std::int64_t{at.time_since_epoch().count()}); }
  void add(microseconds duration) { add(std::int64_t{duration.count()}); }
  template <typename Value>
  void add(const std::optional<Value>& value) {
    if (value) return add(*value);
    columns_[next_++ % kColumns].add_null();
  }
  std::vector<std::string> take() {
    std::vector<std::string> out;
    for (ArrayLiteral& column : columns_) out.push_back(column.take());
    return out;
  }

 private:
  std::array<ArrayLiteral, kColumns> columns_;
  std::size_t next_ = 0;
};

}  // namespace

std::string_view extent_name(drift::Extent extent) {
  return kExtents[static_cast<std::size_t>(extent)];
}

drift::Extent extent(std::string_view name) {
  for (std::size_t i = 0; i < kExtents.size(); ++i) {
    if (kExtents[i] == name) return static_cast<drift::Extent>(i);
  }
  return drift::Extent::kCounts;
}

void CountColumns::add(const domain::Counts& counts) {
  columns_[0].add(counts.on_hand);
  columns_[1].add(counts.reserved);
  columns_[2].add(counts.committed);
  columns_[3].add(counts.safety_stock);
  columns_[4].add(counts.backorder_limit);
}

void CountColumns::take(std::vector<std::string>& out) {
  for (ArrayLiteral& column : columns_) out.push_back(column.take());
}

drift::KeptTestimony testimony(const pqxx::row& row) {
  drift::KeptTestimony kept;
  drift::Testimony& said = kept.testimony;
  said.witness = text(row[0]);
  said.instance = text(row[1]);
  said.key = key(row, 2);
  said.cohort = text(row[4]);
  said.extent = extent(text(row[5]));
  said.exists = flag(row[6]);
  said.counts = counts(row, 7);
  said.version = number(row[12]);
  said.window = {.from = time(row[13]), .until = time(row[14])};
  said.sent_at = witness_time(row[15]);
  said.believed_since = witness_time(row[16]);
  said.true_through = witness_time(row[17]);
  if (!row[18].is_null()) said.age = microseconds(number(row[18]));
  drift::Dates& dates = kept.dates;
  dates.arrived = span(row, 19);
  dates.sent = span(row, 21);
  if (!row[23].is_null()) dates.through_earliest = time(row[23]);
  dates.through_latest = time(row[24]);
  if (!row[25].is_null()) {
    dates.skew = drift::Skew{.ahead = microseconds(number(row[25])),
                             .uncertainty = microseconds(number(row[26]))};
  }
  kept.incarnation = static_cast<domain::Incarnation>(number(row[27]));
  kept.lies = flag(row[28]);
  return kept;
}

std::vector<std::string> to_keep(std::span<const drift::KeptTestimony> testimonies) {
  Columns columns;
  for (const auto& [said, dates, incarnation, lies] : testimonies) {
    for (const std::string* name :
         {&said.witness, &said.instance, &said.key.sku, &said.key.location, &said.cohort}) {
      columns.add(std::string_view(*name));
    }
    columns.add(extent_name(said.extent));
    columns.add(said.exists);
    for (const std::int64_t count :
         {said.counts.on_hand, said.counts.reserved, said.counts.committed,
          said.counts.safety_stock, said.counts.backorder_limit, said.version}) {
      columns.add(count);
    }
    columns.add(said.window.from);
    columns.add(said.window.until);
    columns.add(said.sent_at);
    columns.add(said.believed_since);
    columns.add(said.true_through);
    columns.add(said.age);
    columns.add(dates.arrived.earliest);
    columns.add(dates.arrived.latest);
    columns.add(dates.sent.earliest);
    columns.add(dates.sent.latest);
    columns.add(dates.through_earliest);
    columns.add(dates.through_latest);
    columns.add(dates.skew ? std::optional(dates.skew->ahead) : std::nullopt);
    columns.add(dates.skew ? std::optional(dates.skew->uncertainty) : std::nullopt);
    columns.add(static_cast<std::int64_t>(incarnation));
    columns.add(lies);
  }
  return columns.take();
}

}  // namespace stock::postgres
