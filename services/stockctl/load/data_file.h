#pragma once

#include <string>
#include <variant>

#include "absl/status/statusor.h"
#include "stockctl/files/catalogue_file.h"
#include "stockctl/files/csv_table.h"
#include "stockctl/files/sales_file.h"
#include "stockctl/files/sha256.h"

namespace stockctl {

// A file as it was read, and its digest, which names its pieces for good.
struct DataFile {
  std::variant<StockTable, Sales> content;
  Sha256::Digest digest;
};

// Reads a whole catalogue or sales file, recognised by its columns. `location` is where all of it
// is in a file without a Location column.
absl::StatusOr<DataFile> read_data_file(const std::string& path, std::string_view location,
                                        const BadLineSink& bad_line);

}  // namespace stockctl
