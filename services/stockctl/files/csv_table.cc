#include "stockctl/files/csv_table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "stockctl/text/concat.h"

namespace stockctl {

absl::StatusOr<CsvTable> CsvTable::open(CsvReader::Source source) {
  CsvTable table{CsvReader(std::move(source))};
  CsvRecord record;
  const absl::StatusOr<bool> found = table.reader_.next(record);
  if (!found.ok()) return found.status();
  if (!*found)
    return absl::InvalidArgumentError("the file is empty: a line of column names is missing");
  for (std::string& name : record.fields) absl::StripAsciiWhitespace(&name);
  table.header_ = std::move(record.fields);
  return table;
}

std::optional<std::size_t> CsvTable::column(std::string_view name) const {
  const auto at = std::find_if(header_.begin(), header_.end(), [&](const std::string& column) {
    return std::equal(column.begin(), column.end(), name.begin(), name.end(), [](char a, char b) {
      return absl::ascii_tolower(static_cast<unsigned char>(a)) ==
             absl::ascii_tolower(static_cast<unsigned char>(b));
    });
  });
  if (at == header_.end()) return std::nullopt;
  return static_cast<std::size_t>(at - header_.begin());
}

bool CsvTable::has_columns(std::initializer_list<std::string_view> names) const {
  return std::all_of(names.begin(), names.end(),
                     [this](std::string_view name) { return column(name).has_value(); });
}

absl::StatusOr<bool> CsvTable::next(CsvRecord& record, const BadLineSink& bad_line) {
  while (true) {
    absl::StatusOr<bool> found = reader_.next(record);
    if (!found.ok() || !*found) return found;
    if (!record.error.empty()) {
      bad_line(record.line, record.error);
    } else if (record.fields.size() != header_.size()) {
      bad_line(record.line,
               concat("has ", record.fields.size(), " columns, the header has ", header_.size()));
    } else {
      return true;
    }
  }
}

}  // namespace stockctl
