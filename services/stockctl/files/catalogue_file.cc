#include "stockctl/files/catalogue_file.h"

#include <string>

#include "stockctl/text/concat.h"
#include "stockctl/text/parse.h"

namespace stockctl {
namespace {

struct Columns {
  std::size_t sku;
  std::size_t on_hand;
  std::optional<std::size_t> location;
  std::optional<std::size_t> safety_stock;
};

absl::StatusOr<std::int64_t> parse_stock(std::string_view what, std::string_view text) {
  absl::StatusOr<std::int64_t> count = parse_count(text);
  if (!count.ok()) {
    return absl::InvalidArgumentError(concat(what, " ", message_of(count.status())));
  }
  if (*count < 0) return absl::InvalidArgumentError(concat(what, " ", *count, " is below 0"));
  return count;
}

absl::StatusOr<StockRow> stock_row(const CsvRecord& record, const Columns& columns,
                                   std::string_view location, StockTable& stock) {
  const std::string& sku = record.fields[columns.sku];
  if (columns.location) location = record.fields[*columns.location];
  if (absl::Status status = check_name("SKU", sku); !status.ok()) return status;
  if (absl::Status status = check_name("location", location); !status.ok()) return status;
  const absl::StatusOr<std::int64_t> on_hand =
      parse_stock("on hand", record.fields[columns.on_hand]);
  if (!on_hand.ok()) return on_hand.status();
  StockRow row{.on_hand = *on_hand, .safety_stock = std::nullopt, .line = record.line, .key = 0};
  if (columns.safety_stock && !record.fields[*columns.safety_stock].empty()) {
    const absl::StatusOr<std::int64_t> safety_stock =
        parse_stock("safety stock", record.fields[*columns.safety_stock]);
    if (!safety_stock.ok()) return safety_stock.status();
    row.safety_stock = *safety_stock;
  }
  // Keys are numbered in the order of their rows, and every row has a new key.
  row.key = stock.keys.number_of(sku, location);
  if (row.key < stock.rows.size()) {
    return absl::InvalidArgumentError(
        concat(sku, " @ ", location, " is set on line ", stock.rows[row.key].line, " already"));
  }
  return row;
}

}  // namespace

bool is_catalogue_file(const CsvTable& table) { return table.has_columns({"SKU", "OnHand"}); }

absl::StatusOr<StockTable> read_catalogue(CsvTable& table, std::string_view location,
                                          const BadLineSink& bad_line) {
  const Columns columns{.sku = *table.column("SKU"),
                        .on_hand = *table.column("OnHand"),
                        .location = table.column("Location"),
                        .safety_stock = table.column("SafetyStock")};
  StockTable stock;
  CsvRecord record;
  while (true) {
    const absl::StatusOr<bool> found = table.next(record, bad_line);
    if (!found.ok()) return found.status();
    if (!*found) return stock;
    const absl::StatusOr<StockRow> row = stock_row(record, columns, location, stock);
    if (row.ok()) {
      stock.rows.push_back(*row);
    } else {
      bad_line(record.line, message_of(row.status()));
    }
  }
}

}  // namespace stockctl
