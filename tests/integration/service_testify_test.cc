// What stockctl testify says of one testimony, and of a file of them.
#include <fstream>

#include "service_world.h"
#include "support/stockctl.h"
#include "support/temp_dir.h"

namespace stock {
namespace {

class ServiceTestifyTest : public ServiceTest {
 protected:
  void TearDown() override {
    support::Sql sql = primary().connect();
    sql.exec("DELETE FROM stock.incident");
    sql.exec("DELETE FROM stock.testimony");
  }
};

TEST_F(ServiceTestifyTest, stockctl_tells_what_a_file_says_and_which_lines_are_bad) {
  StockdProcess stockd(primary_only());
  StockClient client(stockd.address());
  client.create_location("main", "Main");
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(client.adjust("file", "main", 40).ok());
  const support::TempDir dir;
  const std::string path = dir.path() / "said.jsonl";
  const std::string key = R"("key": {"sku": "file", "location": "main"})";
  std::ofstream(path) << R"({"witness": "flags", )" << key << R"(, "inStock": true})"
                      << "\n"
                      << "{\n\n"
                      << R"({"witness": "nobody", )" << key << R"(, "available": 120})"
                      << "\n"
                      << R"({"witness": "offline", )" << key << R"(, "available": 41})"
                      << "\n";
  std::string text;
  const std::vector<std::string> to = {"testify", "--address", stockd.address()};
  const auto run = [&](std::vector<std::string> words) {
    words.insert(words.begin(), to.begin(), to.end());
    return support::stockctl(words, text);
  };
  EXPECT_EQ(run({"--file", path}), 1);
  EXPECT_THAT(text, AllOf(HasSubstr("no version ever had 41; true is 120"), HasSubstr(path + ":2:"),
                          HasSubstr(path + ":4:"), HasSubstr("storefront, offline"),
                          HasSubstr("2 testimonies were judged, 1 are contradicted by the ledger, "
                                    "2 lines were bad")))
      << text;
  EXPECT_EQ(run({"file@main", "--witness", "flags", "--in-stock", "true"}), 0) << text;
  EXPECT_EQ(run({"file@main", "--witness", "offline", "--available", "41"}), 1) << text;
  EXPECT_THAT(text, HasSubstr("no version ever had 41"));
  EXPECT_EQ(run({"--file", path + "x"}), 3) << text;
}

}  // namespace
}  // namespace stock
