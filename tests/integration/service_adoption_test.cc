// A ledger that is restored from a dump into another database: refused, adopted, served.
#include <filesystem>
#include <sstream>
#include <stdexcept>

#include "service_world.h"
#include "stockctl/cli/command_line.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace stock {
namespace {

// stockctl's exit code; its outputs into `text`.
int stockctl(std::vector<const char*> words, std::string& text) {
  words.insert(words.begin(), "stockctl");
  std::ostringstream out;
  const int code = ::stockctl::run(static_cast<int>(words.size()), words.data(), out, out);
  text = out.str();
  return code;
}

class ServiceAdoptionTest : public ServiceTest {
 protected:
  static std::string in_database(std::string url, const std::string& database) {
    return url.replace(url.rfind('/') + 1, std::string::npos, database);
  }
  static v1::Consistency showing(const std::string& token) {
    v1::Consistency consistency;
    consistency.set_at_least_as_fresh(token);
    return consistency;
  }
};

TEST_F(ServiceAdoptionTest, a_restored_ledger_is_served_once_it_is_adopted) {
  std::string before;
  std::string lost;
  support::TempDir dir;
  const std::string dump = dir.path() / "dump.sql";
  const std::string original = primary().url("postgres");
  const std::string restored = in_database(original, "restored");
  {
    StockdProcess stockd(primary_only());
    StockClient client(stockd.address());
    client.create_location("main", "Main");
    ASSERT_TRUE(client.adjust("kept", "main", 100).ok());
    const auto written = client.adjust("kept", "main", 20);
    before = written.response.token();
    support::run_command({"pg_dump", "--dbname", original, "--file", dump}, dir.path() / "log");
    lost = client.adjust("kept", "main", 1).response.token();
    ASSERT_TRUE(client.get("kept", "main", showing(lost)).ok());
  }
  primary().connect().exec("CREATE DATABASE restored");
  support::run_command({"psql", restored, "-Xqv", "ON_ERROR_STOP=1", "--file", dump},
                       dir.path() / "log");
  const auto options = [&] {
    return StockdProcess::Options{.primary_url = in_database(primary().url(), "restored")};
  };
  try {
    StockdProcess refused(options());
    FAIL() << "a foreign ledger is not served";
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("stockctl ledger adopt"));
  }

  std::string text;
  const std::string writer = in_database(primary().url(), "restored");
  EXPECT_EQ(stockctl({"ledger", "adopt", "--database-url", writer.c_str(), "--yes"}, text), 1);
  EXPECT_THAT(text, HasSubstr("superuser"));
  EXPECT_EQ(stockctl({"ledger", "adopt", "--database-url", original.c_str(), "--yes"}, text), 1);
  EXPECT_THAT(text, HasSubstr("nothing to adopt"));
  EXPECT_EQ(stockctl({"ledger", "adopt", "--database-url", "postgresql://x@127.0.0.1:1/y"}, text),
            4);
  EXPECT_EQ(stockctl({"ledger", "adopt", "--database-url", restored.c_str(), "--yes"}, text), 0)
      << text;
  EXPECT_THAT(text, HasSubstr("2 movements adopted"));

  StockdProcess stockd(options());
  StockClient client(stockd.address());
  const auto kept = client.get("kept", "main", showing(before));
  ASSERT_TRUE(kept.ok()) << kept.message;
  EXPECT_EQ(kept.response.level().counts().on_hand(), 120);
  EXPECT_EQ(kept.response.level().version(), 2);
  EXPECT_EQ(client.get("kept", "main", showing(lost)).reason, "WRITE_LOST");
  const auto written = client.adjust("kept", "main", 5);
  ASSERT_TRUE(written.ok()) << written.message;
  EXPECT_EQ(written.response.levels(0).version(), 3);
  // By the feed, which shows both.
  EXPECT_TRUE(eventually(
      [&] {
        return trail_of(
            client.get("kept", "main", showing(written.response.token())).response.provenance());
      },
      Eq("memory hit")));
  EXPECT_TRUE(client.get("kept", "main", showing(before)).ok());
  const auto now = client.get("kept", "main");
  EXPECT_EQ(now.response.level().counts().on_hand(), 125);
}

}  // namespace
}  // namespace stock
