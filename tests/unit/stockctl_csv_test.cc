#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "stockctl/files/csv_reader.h"
#include "stockctl/files/csv_table.h"

namespace stockctl {
namespace {

// A source that hands out `text` in blocks of `block` bytes.
CsvReader::Source source_of(std::string text, std::size_t block = 1'000) {
  return [text = std::move(text), block, at = std::size_t{0}]() mutable {
    const std::string_view bytes = std::string_view(text).substr(at, block);
    at += bytes.size();
    return absl::StatusOr<std::string_view>(bytes);
  };
}

std::vector<CsvRecord> read_all(const std::string& text, std::size_t block = 1'000) {
  CsvReader reader(source_of(text, block));
  std::vector<CsvRecord> records;
  CsvRecord record;
  while (reader.next(record).value()) records.push_back(record);
  return records;
}

std::vector<std::string> fields_of(const std::string& text) {
  const std::vector<CsvRecord> records = read_all(text);
  EXPECT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].error, "");
  return records[0].fields;
}

using Fields = std::vector<std::string>;

TEST(StockctlCsvReader, quotes_hold_commas_newlines_and_quotes) {
  EXPECT_EQ(fields_of("a,\"b,c\",\"d\ne\",\"say \"\"f\"\"\"\n"),
            (Fields{"a", "b,c", "d\ne", "say \"f\""}));
}

TEST(StockctlCsvReader, empty_fields_are_fields) {
  EXPECT_EQ(fields_of("a,,\n"), (Fields{"a", "", ""}));
  EXPECT_EQ(fields_of("a,,"), (Fields{"a", "", ""}));
  EXPECT_EQ(fields_of(",\r\n"), (Fields{"", ""}));
  EXPECT_EQ(fields_of("\"\""), (Fields{""}));
}

TEST(StockctlCsvReader, a_byte_order_mark_and_carriage_returns_are_no_part_of_the_data) {
  EXPECT_EQ(fields_of("\xEF\xBB\xBF\"a\",b\r\n"), (Fields{"a", "b"}));
  EXPECT_EQ(fields_of("a,b\r"), (Fields{"a", "b"}));
  EXPECT_EQ(fields_of("a\rb,c\n"), (Fields{"a\rb", "c"}));
}

TEST(StockctlCsvReader, lines_are_counted_through_blank_lines_and_quoted_newlines) {
  const std::vector<CsvRecord> records = read_all("a\n\n\"b\n\nc\"\r\n\r\nd");
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[0].line, 1);
  EXPECT_EQ(records[1].line, 3);
  EXPECT_EQ(records[2].line, 7);
}

TEST(StockctlCsvReader, broken_quoting_is_an_error_of_its_record_alone) {
  const std::vector<CsvRecord> records = read_all("a\"b,c\n\"d\"e,f\ng,h\n\"i");
  ASSERT_EQ(records.size(), 4u);
  EXPECT_NE(records[0].error, "");
  EXPECT_NE(records[1].error, "");
  EXPECT_EQ(records[2].error, "");
  EXPECT_EQ(records[2].fields, (Fields{"g", "h"}));
  EXPECT_EQ(records[3].error, "a quoted field is not closed");
}

TEST(StockctlCsvReader, an_unclosed_quote_does_not_swallow_the_whole_file) {
  std::string text = "\"never closed\n";
  for (int i = 0; i < 200'000; ++i) text += "many,lines\n";
  const std::vector<CsvRecord> records = read_all(text);
  EXPECT_NE(records[0].error, "");
  EXPECT_GT(records.size(), 1'000u);
  EXPECT_EQ(records.back().fields, (Fields{"many", "lines"}));
}

TEST(StockctlCsvReader, a_failure_of_the_source_is_not_an_end) {
  CsvReader reader([calls = 0]() mutable -> absl::StatusOr<std::string_view> {
    if (calls++ == 0) return std::string_view("a,b\nc,");
    return absl::DataLossError("cut off");
  });
  CsvRecord record;
  ASSERT_TRUE(reader.next(record).value());
  EXPECT_EQ(reader.next(record).status().code(), absl::StatusCode::kDataLoss);
}

TEST(StockctlCsvReader, what_was_written_comes_back_however_it_is_cut_into_blocks) {
  std::mt19937 random(7);
  constexpr std::string_view kAlphabet = "ab,\"\n\r '";
  for (int round = 0; round < 300; ++round) {
    std::vector<Fields> written(1 + random() % 5);
    std::string text;
    for (Fields& fields : written) {
      for (std::size_t i = 0, count = 1 + random() % 4; i < count; ++i) {
        std::string field;
        for (std::size_t n = random() % 6; n > 0; --n)
          field += kAlphabet[random() % kAlphabet.size()];
        text += i == 0 ? "\"" : ",\"";
        for (const char c : field) text += c == '"' ? std::string("\"\"") : std::string(1, c);
        text += '"';
        fields.push_back(field);
      }
      text += random() % 2 == 0 ? "\n" : "\r\n";
    }
    const std::vector<CsvRecord> records = read_all(text, 1 + random() % 7);
    ASSERT_EQ(records.size(), written.size()) << text;
    for (std::size_t i = 0; i < records.size(); ++i) {
      EXPECT_EQ(records[i].error, "") << text;
      EXPECT_EQ(records[i].fields, written[i]) << text;
    }
  }
}

TEST(StockctlCsvTable, columns_are_found_by_name_in_either_case) {
  const CsvTable table = CsvTable::open(source_of("SKU, onhand ,Location\n")).value();
  EXPECT_EQ(table.column("OnHand"), 1u);
  EXPECT_TRUE(table.has_columns({"sku", "LOCATION"}));
  EXPECT_FALSE(table.column("Price").has_value());
}

TEST(StockctlCsvTable, a_record_with_another_number_of_columns_is_bad_and_the_rest_goes_on) {
  CsvTable table = CsvTable::open(source_of("a,b\n1\n2,3\n4,5,6\n7,8\n")).value();
  std::vector<std::int64_t> bad;
  const BadLineSink note_bad = [&](std::int64_t line, std::string_view) { bad.push_back(line); };
  CsvRecord record;
  std::vector<std::string> first_fields;
  while (table.next(record, note_bad).value()) first_fields.push_back(record.fields[0]);
  EXPECT_EQ(first_fields, (Fields{"2", "7"}));
  EXPECT_EQ(bad, (std::vector<std::int64_t>{2, 4}));
}

TEST(StockctlCsvTable, an_empty_file_has_no_header) {
  EXPECT_FALSE(CsvTable::open(source_of("")).ok());
}

}  // namespace
}  // namespace stockctl
