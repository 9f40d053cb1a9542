#include "stockctl/files/csv_reader.h"

#include <utility>

namespace stockctl {
namespace {

// A quote that nobody closes would otherwise swallow the rest of the file.
constexpr std::size_t kMaxFieldBytes = 1 << 20;

}  // namespace

int CsvReader::peek() {
  while (at_ == block_.size()) {
    if (ended_) return kEnd;
    absl::StatusOr<std::string_view> block = source_();
    if (!block.ok()) failure_ = block.status();
    ended_ = !block.ok() || block->empty();
    block_ = ended_ ? std::string_view() : *block;
    at_ = 0;
  }
  return static_cast<unsigned char>(block_[at_]);
}

int CsvReader::take() {
  const int byte = peek();
  if (byte == kEnd) return kEnd;
  ++at_;
  if (byte == '\n') ++line_;
  return byte;
}

void CsvReader::read_quoted(CsvRecord& record, std::string& field) {
  take();
  while (true) {
    const int byte = take();
    if (byte == kEnd) {
      record.error = "a quoted field is not closed";
      return;
    }
    if (byte == '"') {
      if (peek() != '"') return;
      take();
    }
    field.push_back(static_cast<char>(byte));
    if (field.size() > kMaxFieldBytes) {
      record.error = "a quoted field is longer than 1 MiB; is its closing quote missing?";
      return;
    }
  }
}

void CsvReader::read_field(CsvRecord& record, std::string& field) {
  if (peek() == '"') {
    read_quoted(record, field);
    const int after = peek();
    if (record.error.empty() && after != ',' && after != '\n' && after != '\r' && after != kEnd) {
      record.error = "text after a closing quote";
    }
  }
  for (int byte = peek(); byte != ',' && byte != '\n' && byte != kEnd; byte = peek()) {
    take();
    if (byte == '\r' && (peek() == '\n' || peek() == kEnd)) return;
    if (byte == '"' && record.error.empty()) record.error = "a quote inside an unquoted field";
    field.push_back(static_cast<char>(byte));
  }
}

absl::StatusOr<bool> CsvReader::next(CsvRecord& record) {
  if (!std::exchange(started_, true) && peek() == 0xEF && block_.substr(at_, 3) == "\xEF\xBB\xBF") {
    at_ += 3;
  }
  while (peek() == '\n' || peek() == '\r') take();
  record.line = line_;
  record.error.clear();
  std::size_t count = 0;
  if (peek() != kEnd) {
    do {
      if (count == record.fields.size()) record.fields.emplace_back();
      record.fields[count].clear();
      read_field(record, record.fields[count++]);
    } while (take() == ',');
  }
  if (!failure_.ok()) return failure_;
  record.fields.resize(count);
  return count > 0;
}

}  // namespace stockctl
