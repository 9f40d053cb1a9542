#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "stockctl/files/opening_stock.h"
#include "stockctl/load/data_file.h"

namespace stockctl {
namespace {

void none_bad(std::int64_t line, std::string_view reason) {
  FAIL() << "line " << line << ": " << reason;
}

using BadLines = std::vector<std::pair<std::int64_t, std::string>>;

class StockctlDataFile : public testing::Test {
 protected:
  StockctlDataFile() {
    std::string pattern = testing::TempDir() + "stockctl_XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~StockctlDataFile() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }

  absl::StatusOr<DataFile> read(const std::string& path) {
    bad_.clear();
    return read_data_file(path, "main", [this](std::int64_t line, std::string_view reason) {
      bad_.emplace_back(line, reason);
    });
  }

  std::filesystem::path folder_;
  BadLines bad_;
};

constexpr char kSalesHeader[] = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,Location\n";

TEST_F(StockctlDataFile, sales_are_ordered_by_time_and_within_it_as_in_the_file) {
  const auto file =
      read(write("sales.csv", std::string(kSalesHeader) + "1,B,,1,2026-11-16 10:00:00,LON\n"
                                                          "2,A,,2,2026-11-16 09:00:00,LON\n"
                                                          "3,A,,3,2026-11-16T10:00,MAN\n"
                                                          "C1,B,,-1,2026-11-16 10:00:00,LON\n"));
  ASSERT_TRUE(file.ok()) << file.status();
  const Sales& sales = std::get<Sales>(file->content);
  std::vector<std::string> invoices;
  for (const SalesLine& line : sales.lines) invoices.push_back(sales.invoices[line.invoice]);
  EXPECT_EQ(invoices, (std::vector<std::string>{"2", "1", "3", "C1"}));
  EXPECT_EQ(sales.keys[sales.lines[2].key], (StockKey{"A", "MAN"}));
  EXPECT_EQ(sales.lines[3].quantity, -1);
  EXPECT_EQ(sales.lines[3].line, 5);
  EXPECT_TRUE(bad_.empty());
}

TEST_F(StockctlDataFile, lines_of_one_invoice_stand_together_and_what_comes_back_first) {
  const auto file =
      read(write("sales.csv", std::string(kSalesHeader) + "1,A,,1,2026-11-16 10:00:00,LON\n"
                                                          "2,A,,1,2026-11-16 10:00:00,LON\n"
                                                          "1,B,,2,2026-11-16 10:01:00,LON\n"
                                                          "1,C,,-2,2026-11-16 10:01:00,LON\n"));
  ASSERT_TRUE(file.ok()) << file.status();
  std::vector<std::int64_t> lines;
  for (const SalesLine& line : std::get<Sales>(file->content).lines) lines.push_back(line.line);
  EXPECT_EQ(lines, (std::vector<std::int64_t>{5, 2, 4, 3}));
}

TEST_F(StockctlDataFile, without_a_location_column_everything_is_at_the_default) {
  const auto file = read(write("s.csv",
                               "InvoiceNo,StockCode,Quantity,InvoiceDate\n"
                               "1,BANK CHARGES,1,2026-11-16 10:00:00\n"));
  const Sales& sales = std::get<Sales>(file->content);
  EXPECT_EQ(sales.keys[0], (StockKey{"BANK CHARGES", "main"}));
}

TEST_F(StockctlDataFile, bad_sales_lines_are_told_by_number_and_the_rest_goes_on) {
  const auto file = read(write("s.csv", std::string(kSalesHeader) +
                                            "1,A,,6.5,2026-11-16 10:00:00,LON\n"
                                            "2,A,,1,16/11/2026 10:00,LON\n"
                                            "3,,,1,2026-11-16 10:00:00,LON\n"
                                            "4,A,,0,2026-11-16 10:00:00,LON\n"
                                            "5,A,,1000000000000001,2026-11-16 10:00:00,LON\n"
                                            "6,A,,1,2026-02-30 10:00:00,LON\n"
                                            "7,\x01,,1,2026-11-16 10:00:00,LON\n"
                                            "8,A,,1,2026-11-16 10:00:00,\n"
                                            "9,A,,1\n"
                                            "10,A,,1,2026-11-16 10:00:00,LON\n"));
  EXPECT_EQ(std::get<Sales>(file->content).lines.size(), 1u);
  ASSERT_EQ(bad_.size(), 9u);
  for (std::size_t i = 0; i < bad_.size(); ++i) {
    EXPECT_EQ(bad_[i].first, static_cast<std::int64_t>(i) + 2);
  }
  EXPECT_EQ(bad_[0].second, "quantity \"6.5\" is not a whole number");
}

TEST_F(StockctlDataFile, a_catalogue_sets_each_key_once) {
  const auto file = read(write("c.csv",
                               "SKU,Location,OnHand,SafetyStock,Description\n"
                               "A,LON,5,2,\"Lamp, brass\"\n"
                               "A,MAN,6,,\n"
                               "A,LON,7,0,again\n"
                               "B,LON,-1,0,\n"
                               "C,LON,1,x,\n"));
  const StockTable& stock = std::get<StockTable>(file->content);
  ASSERT_EQ(stock.rows.size(), 2u);
  EXPECT_EQ(stock.rows[0].on_hand, 5);
  EXPECT_EQ(stock.rows[0].safety_stock, 2);
  EXPECT_EQ(stock.rows[1].safety_stock, std::nullopt);
  EXPECT_EQ(stock.keys[stock.rows[1].key], (StockKey{"A", "MAN"}));
  ASSERT_EQ(bad_.size(), 3u);
  EXPECT_EQ(bad_[0].second, "A @ LON is set on line 2 already");
}

TEST_F(StockctlDataFile, a_file_of_another_kind_is_refused_with_its_columns) {
  const auto file = read(write("x.csv", "foo,bar\n1,2\n"));
  EXPECT_EQ(file.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(std::string(file.status().message()).find("foo, bar"), std::string::npos);
  EXPECT_FALSE(read(write("empty.csv", "")).ok());
  EXPECT_FALSE(read(folder_ / "absent.csv").ok());
}

TEST_F(StockctlDataFile, a_compressed_file_is_the_same_data_and_a_cut_one_is_an_error) {
  std::string text = "SKU,OnHand\n";
  for (int i = 0; i < 20'000; ++i) text += "SKU-" + std::to_string(i * 7919) + ",1\n";
  const std::string plain = write("c.csv", text);
  ASSERT_EQ(std::system(("xz -k " + plain).c_str()), 0);
  const auto from_plain = read(plain);
  const auto from_compressed = read(plain + ".xz");
  ASSERT_TRUE(from_compressed.ok()) << from_compressed.status();
  EXPECT_EQ(from_plain->digest, from_compressed->digest);
  EXPECT_EQ(std::get<StockTable>(from_compressed->content).rows.size(), 20'000u);

  std::filesystem::resize_file(plain + ".xz", std::filesystem::file_size(plain + ".xz") / 2);
  EXPECT_EQ(read(plain + ".xz").status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(StockctlDataFile, the_sample_sells_what_its_catalogue_has) {
  const std::filesystem::path sample =
      std::filesystem::path(STOCK_SOURCE_DIR) / "deploy/local/sample";
  const auto catalogue = read(sample / "catalogue.csv");
  ASSERT_TRUE(catalogue.ok()) << catalogue.status();
  EXPECT_TRUE(bad_.empty());
  const StockTable& stock = std::get<StockTable>(catalogue->content);
  std::map<std::pair<std::string, std::string>, std::int64_t> free;
  for (const StockRow& row : stock.rows) {
    const StockKey key = stock.keys[row.key];
    free[{key.sku, key.location}] = row.on_hand - row.safety_stock.value_or(0);
  }
  EXPECT_EQ(free.size(), 900u);

  auto sales = read(sample / "sales.csv");
  ASSERT_TRUE(sales.ok()) << sales.status();
  EXPECT_TRUE(bad_.empty());
  const StockTable needed = opening_stock(std::get<Sales>(std::move(sales->content)), 0, none_bad);
  for (const StockRow& row : needed.rows) {
    const StockKey key = needed.keys[row.key];
    EXPECT_LE(row.on_hand, (free[{key.sku, key.location}])) << key.sku << " @ " << key.location;
  }
}

Sales random_sales(unsigned seed) {
  std::mt19937 random(seed);
  Sales sales;
  for (std::int64_t line = 2; line < 60; ++line) {
    const std::string sku(1, static_cast<char>('A' + random() % 5));
    const std::int64_t quantity = 1 + random() % 50;
    sales.lines.push_back({.time = std::chrono::sys_seconds(std::chrono::seconds(line)),
                           .quantity = random() % 4 == 0 ? -quantity : quantity,
                           .line = line,
                           .key = sales.keys.number_of(sku, "LON"),
                           .invoice = sales.invoices.number_of("1")});
  }
  return sales;
}

TEST(StockctlOpeningStock, is_the_least_from_which_every_line_can_be_sold) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    const Sales sales = random_sales(seed);
    const StockTable stock = opening_stock(random_sales(seed), 0, none_bad);
    for (const StockRow& row : stock.rows) {
      std::int64_t on_hand = row.on_hand;
      std::int64_t lowest = on_hand;
      for (const SalesLine& line : sales.lines) {
        if (line.key != row.key) continue;
        on_hand -= line.quantity;
        lowest = std::min(lowest, on_hand);
      }
      // Enough, and not a piece more, unless nothing is needed at all.
      EXPECT_GE(lowest, 0);
      EXPECT_TRUE(lowest == 0 || row.on_hand == 0) << lowest;
    }
    const StockTable more = opening_stock(random_sales(seed), 10, none_bad);
    for (std::size_t i = 0; i < more.rows.size(); ++i) {
      EXPECT_EQ(more.rows[i].on_hand, stock.rows[i].on_hand + 10);
    }
  }
}

TEST(StockctlOpeningStock, returns_before_any_sale_need_nothing) {
  Sales sales;
  const std::uint32_t key = sales.keys.number_of("A", "LON");
  sales.lines = {{.time = {}, .quantity = -5, .line = 2, .key = key, .invoice = 0},
                 {.time = {}, .quantity = 3, .line = 3, .key = key, .invoice = 0}};
  const StockTable stock = opening_stock(std::move(sales), 0, none_bad);
  EXPECT_EQ(stock.rows[0].on_hand, 0);
}

TEST(StockctlOpeningStock, sums_beyond_the_largest_count_are_bad_and_do_not_overflow) {
  Sales sales;
  const std::uint32_t key = sales.keys.number_of("A", "LON");
  for (std::int64_t line = 2; line < 10'002; ++line) {
    sales.lines.push_back(
        {.time = {}, .quantity = kMaxCount, .line = line, .key = key, .invoice = 0});
  }
  std::vector<std::int64_t> bad;
  const StockTable stock = opening_stock(
      std::move(sales), 10, [&](std::int64_t line, std::string_view) { bad.push_back(line); });
  EXPECT_TRUE(stock.rows.empty());
  EXPECT_EQ(bad, (std::vector<std::int64_t>{2}));
}

}  // namespace
}  // namespace stockctl
