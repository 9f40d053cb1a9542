#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace stockctl {

// One record of a CSV file.
struct CsvRecord {
  // The line of the file on which the record begins, counted from 1.
  std::int64_t line = 0;
  std::vector<std::string> fields;
  // What is wrong with the record's quoting. Empty when nothing is.
  std::string error;
};

// Reads CSV (RFC 4180) record by record: quoted fields with commas, newlines and doubled quotes in
// them, LF or CRLF, a UTF-8 byte order mark, blank lines skipped. Broken quoting is reported with
// its record, and reading goes on at the next line; how many fields a record should have is the
// caller's business. Holds one block of the file and one record at a time. One thread.
class CsvReader {
 public:
  // Returns the next bytes of the file, which stay valid until the next call; nothing at the end.
  using Source = std::function<absl::StatusOr<std::string_view>()>;

  explicit CsvReader(Source source) : source_(std::move(source)) {}

  // Fills `record` and returns true, or false at the end of the file.
  absl::StatusOr<bool> next(CsvRecord& record);

 private:
  static constexpr int kEnd = -1;

  // The next byte without taking it, or kEnd.
  int peek();
  int take();
  void read_field(CsvRecord& record, std::string& field);
  void read_quoted(CsvRecord& record, std::string& field);

  Source source_;
  absl::Status failure_;
  std::string_view block_;
  std::size_t at_ = 0;
  std::int64_t line_ = 1;
  bool started_ = false;
  bool ended_ = false;
};

}  // namespace stockctl
