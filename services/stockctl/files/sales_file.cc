#include "stockctl/files/sales_file.h"

#include <algorithm>
#include <string>
#include <tuple>

#include "stockctl/text/concat.h"
#include "stockctl/text/parse.h"
#include "stockctl/text/utf8.h"

namespace stockctl {
namespace {

struct Columns {
  std::size_t invoice;
  std::size_t sku;
  std::size_t quantity;
  std::size_t time;
  std::optional<std::size_t> location;
};

// The number made by exactly these characters, all of which must be digits.
std::optional<int> digits(std::string_view text) {
  int number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + (c - '0');
  }
  return number;
}

void sort_by_invoice(Sales& sales) {
  std::vector<std::chrono::sys_seconds> times(sales.invoices.size(),
                                              std::chrono::sys_seconds::max());
  for (const SalesLine& line : sales.lines) {
    times[line.invoice] = std::min(times[line.invoice], line.time);
  }
  std::stable_sort(sales.lines.begin(), sales.lines.end(),
                   [&](const SalesLine& a, const SalesLine& b) {
                     return std::tuple(times[a.invoice], a.invoice, a.quantity > 0) <
                            std::tuple(times[b.invoice], b.invoice, b.quantity > 0);
                   });
}

absl::StatusOr<SalesLine> sales_line(const CsvRecord& record, const Columns& columns,
                                     std::string_view location, Sales& sales) {
  const std::string& sku = record.fields[columns.sku];
  if (columns.location) location = record.fields[*columns.location];
  if (absl::Status status = check_name("SKU", sku); !status.ok()) return status;
  if (absl::Status status = check_name("location", location); !status.ok()) return status;
  const std::string& invoice = record.fields[columns.invoice];
  constexpr std::size_t kMaxReferenceBytes = 256;
  if (invoice.size() > kMaxReferenceBytes || !is_printable(invoice)) {
    return absl::InvalidArgumentError("the invoice number is not printable, or over 256 bytes");
  }
  const absl::StatusOr<std::int64_t> quantity = parse_count(record.fields[columns.quantity]);
  if (!quantity.ok()) {
    return absl::InvalidArgumentError(concat("quantity ", message_of(quantity.status())));
  }
  if (*quantity == 0) return absl::InvalidArgumentError("quantity 0 moves nothing");
  const std::optional<std::chrono::sys_seconds> time = parse_time(record.fields[columns.time]);
  if (!time) {
    return absl::InvalidArgumentError(concat("time \"", printable(record.fields[columns.time]),
                                             "\" is not like 2010-12-01 08:26:00"));
  }
  return SalesLine{.time = *time,
                   .quantity = *quantity,
                   .line = record.line,
                   .key = sales.keys.number_of(sku, location),
                   .invoice = sales.invoices.number_of(invoice)};
}

}  // namespace

std::optional<std::chrono::sys_seconds> parse_time(std::string_view text) {
  const bool seconds = text.size() == 19;
  if (!seconds && text.size() != 16) return std::nullopt;
  if (text[4] != '-' || text[7] != '-' || (text[10] != ' ' && text[10] != 'T') || text[13] != ':' ||
      (seconds && text[16] != ':')) {
    return std::nullopt;
  }
  const std::optional<int> year = digits(text.substr(0, 4));
  const std::optional<int> month = digits(text.substr(5, 2));
  const std::optional<int> day = digits(text.substr(8, 2));
  const std::optional<int> hour = digits(text.substr(11, 2));
  const std::optional<int> minute = digits(text.substr(14, 2));
  const std::optional<int> second = seconds ? digits(text.substr(17, 2)) : 0;
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         std::chrono::seconds(*second);
}

bool is_sales_file(const CsvTable& table) {
  return table.has_columns({"InvoiceNo", "StockCode", "Quantity", "InvoiceDate"});
}

absl::StatusOr<Sales> read_sales(CsvTable& table, std::string_view location,
                                 const BadLineSink& bad_line) {
  if (!is_sales_file(table)) {
    return absl::InvalidArgumentError(
        "not a sales file: it needs the columns InvoiceNo, StockCode, Quantity and InvoiceDate");
  }
  const Columns columns{.invoice = *table.column("InvoiceNo"),
                        .sku = *table.column("StockCode"),
                        .quantity = *table.column("Quantity"),
                        .time = *table.column("InvoiceDate"),
                        .location = table.column("Location")};
  Sales sales;
  CsvRecord record;
  while (true) {
    const absl::StatusOr<bool> found = table.next(record, bad_line);
    if (!found.ok()) return found.status();
    if (!*found) break;
    const absl::StatusOr<SalesLine> line = sales_line(record, columns, location, sales);
    if (line.ok()) {
      sales.lines.push_back(*line);
    } else {
      bad_line(record.line, message_of(line.status()));
    }
  }
  sort_by_invoice(sales);
  return sales;
}

}  // namespace stockctl
