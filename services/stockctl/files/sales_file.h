#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "stockctl/files/csv_table.h"
#include "stockctl/files/stock_key.h"

namespace stockctl {

// One line of an invoice. A negative quantity is a cancellation or a write-off's correction: stock
// that comes back.
struct SalesLine {
  std::chrono::sys_seconds time;
  std::int64_t quantity;
  std::int64_t line;
  // Numbers in Sales::keys and Sales::invoices.
  std::uint32_t key;
  std::uint32_t invoice;
};

// A whole sales file, in 32 bytes per line and each name once.
struct Sales {
  // Those of one invoice together, what comes back first. Invoices in order of time, that of their
  // first line; invoices of the same instant, and lines, in the file's order.
  std::vector<SalesLine> lines;
  KeyTable keys;
  StringTable invoices;
};

// Whether the columns are those of a sales file: InvoiceNo, StockCode, Quantity, InvoiceDate and,
// when there are several, Location; others do not matter.
bool is_sales_file(const CsvTable& table);

// `location` is where lines are sold in a file without a Location column.
absl::StatusOr<Sales> read_sales(CsvTable& table, std::string_view location,
                                 const BadLineSink& bad_line);

// "2010-12-01 08:26:00", "2010-12-01T08:26:00" or either without seconds; taken as UTC.
std::optional<std::chrono::sys_seconds> parse_time(std::string_view text);

}  // namespace stockctl
