#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "stockctl/files/csv_reader.h"

namespace stockctl {

// Told of each line that cannot be used, and why. Reading goes on.
using BadLineSink = std::function<void(std::int64_t line, std::string_view reason)>;

// A CSV file whose first record names its columns. One thread.
class CsvTable {
 public:
  // Reads the header. Fails when there is none.
  static absl::StatusOr<CsvTable> open(CsvReader::Source source);

  // Where a column is. Upper and lower case are the same.
  std::optional<std::size_t> column(std::string_view name) const;
  bool has_columns(std::initializer_list<std::string_view> names) const;
  const std::vector<std::string>& header() const { return header_; }

  // The next well-formed record, with as many fields as the header has; others go to `bad_line`.
  // False at the end of the file.
  absl::StatusOr<bool> next(CsvRecord& record, const BadLineSink& bad_line);

 private:
  explicit CsvTable(CsvReader reader) : reader_(std::move(reader)) {}

  CsvReader reader_;
  std::vector<std::string> header_;
};

}  // namespace stockctl
