#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "stockctl/files/csv_table.h"
#include "stockctl/files/stock_key.h"

namespace stockctl {

// One level to set.
struct StockRow {
  std::int64_t on_hand;
  // Left as it is when empty.
  std::optional<std::int64_t> safety_stock;
  // Where the file speaks of it first.
  std::int64_t line;
  // Number in StockTable::keys.
  std::uint32_t key;
};

// Levels to set, each key once.
struct StockTable {
  std::vector<StockRow> rows;
  KeyTable keys;
};

// Whether the columns are those of a catalogue: SKU, OnHand and, optionally, Location and
// SafetyStock; others do not matter.
bool is_catalogue_file(const CsvTable& table);

// `location` is that of all rows in a file without a Location column.
absl::StatusOr<StockTable> read_catalogue(CsvTable& table, std::string_view location,
                                          const BadLineSink& bad_line);

}  // namespace stockctl
