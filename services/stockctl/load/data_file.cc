#include "stockctl/load/data_file.h"

#include <utility>

#include "stockctl/files/input_file.h"
#include "stockctl/text/concat.h"
#include "stockctl/text/utf8.h"

namespace stockctl {
namespace {

absl::Status unknown_columns(const CsvTable& table) {
  std::string names;
  for (const std::string& name : table.header()) {
    names += concat(names.empty() ? "" : ", ", printable(name));
  }
  return absl::InvalidArgumentError(concat(
      "its first line names neither the columns of a catalogue (SKU, Location, OnHand, "
      "SafetyStock) nor those of a sales file (InvoiceNo, StockCode, Quantity, InvoiceDate): ",
      fitted(names, 200)));
}

using Content = std::variant<StockTable, Sales>;

absl::StatusOr<Content> read_content(CsvTable& table, std::string_view location,
                                     const BadLineSink& bad_line) {
  if (is_sales_file(table)) return read_sales(table, location, bad_line);
  if (is_catalogue_file(table)) return read_catalogue(table, location, bad_line);
  return unknown_columns(table);
}

absl::StatusOr<DataFile> read(const std::string& path, std::string_view location,
                              const BadLineSink& bad_line) {
  absl::StatusOr<InputFile> file = InputFile::open(path);
  if (!file.ok()) return file.status();
  absl::StatusOr<CsvTable> table = CsvTable::open([&file] { return file->read(); });
  if (!table.ok()) return table.status();
  absl::StatusOr<Content> content = read_content(*table, location, bad_line);
  if (!content.ok()) return content.status();
  return DataFile{.content = *std::move(content), .digest = file->digest()};
}

}  // namespace

absl::StatusOr<DataFile> read_data_file(const std::string& path, std::string_view location,
                                        const BadLineSink& bad_line) {
  absl::StatusOr<DataFile> file = read(path, location, bad_line);
  if (file.ok()) return file;
  return absl::Status(file.status().code(), concat(path, ": ", message_of(file.status())));
}

}  // namespace stockctl
