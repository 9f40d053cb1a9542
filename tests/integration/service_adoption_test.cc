// A ledger that is restored from a dump into another database: refused, adopted, served.
#include <filesystem>
#include <stdexcept>

#include "service_world.h"
#include "support/process.h"
#include "support/stockctl.h"
#include "support/tcp_gate.h"
#include "support/temp_dir.h"

namespace stock {
namespace {

using support::stockctl;

class ServiceAdoptionTest : public ServiceTest {
 protected:
  static std::string in_database(std::string url, const std::string& database) {
    return url.replace(url.rfind('/') + 1, std::string::npos, database);
  }
  static std::string through(const support::TcpGate& gate, std::string url) {
    const std::string port = std::to_string(primary().port());
    return url.replace(url.find(port), port.size(), std::to_string(gate.port()));
  }
  // Of the ledger as it is now; it can be restored over itself.
  static void dump_to(const std::string& file, const support::TempDir& dir) {
    support::run_command({"pg_dump", "--clean", "--if-exists", "--dbname",
                          primary().url("postgres"), "--file", file},
                         dir.path() / "log");
  }
  // Into another database of the same server.
  static void restore_into(const std::string& database) {
    const support::TempDir dir;
    const std::string dump = dir.path() / "dump.sql";
    const std::string original = primary().url("postgres");
    dump_to(dump, dir);
    primary().connect().exec("CREATE DATABASE " + database);
    support::run_command(
        {"psql", in_database(original, database), "-Xqv", "ON_ERROR_STOP=1", "--file", dump},
        dir.path() / "log");
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
  const std::string original = primary().url("postgres");
  const std::string restored = in_database(original, "restored");
  {
    StockdProcess stockd(primary_only());
    StockClient client(stockd.address());
    client.create_location("main", "Main");
    ASSERT_TRUE(client.adjust("kept", "main", 100).ok());
    const auto written = client.adjust("kept", "main", 20);
    before = written.response.token();
    restore_into("restored");
    lost = client.adjust("kept", "main", 1).response.token();
    ASSERT_TRUE(client.get("kept", "main", showing(lost)).ok());
  }
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
  EXPECT_EQ(stockctl({"ledger", "adopt", "--database-url", writer, "--yes"}, text), 1);
  EXPECT_THAT(text, HasSubstr("superuser"));
  EXPECT_EQ(stockctl({"ledger", "adopt", "--database-url", original, "--yes"}, text), 1);
  EXPECT_THAT(text, HasSubstr("nothing to adopt"));
  EXPECT_EQ(stockctl({"ledger", "adopt", "--database-url", "postgresql://x@127.0.0.1:1/y"}, text),
            4);
  EXPECT_EQ(stockctl({"ledger", "adopt", "--database-url", restored, "--yes"}, text), 0) << text;
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

TEST_F(ServiceAdoptionTest, a_foreign_ledger_found_after_the_start_is_not_used_either) {
  restore_into("found_later");
  support::TcpGate gate(primary().port());
  gate.cut();
  StockdProcess stockd({.primary_url = through(gate, in_database(primary().url(), "found_later")),
                        .await = StockdProcess::Await::kAlive});
  StockClient client(stockd.address());
  gate.open();
  EXPECT_TRUE(
      eventually([&] { return client.create_location("late").reason; }, Eq("LEDGER_UNFIT")));
  const auto written = client.adjust("sold", "main", 1);
  EXPECT_EQ(written.code, kFailedPrecondition);
  EXPECT_EQ(written.reason, "LEDGER_UNFIT");
  EXPECT_THAT(written.message, HasSubstr("stockctl ledger adopt"));
  const auto read = client.get("sold", "main");
  EXPECT_EQ(read.code, kUnavailable);
  EXPECT_THAT(read.message, HasSubstr("stockctl ledger adopt"));
  EXPECT_FALSE(client.serving());
  // What a probe found before the gate opened is repeated until the next one.
  EXPECT_TRUE(
      eventually([&] { return stockd.get("/readyz").body; }, HasSubstr("stockctl ledger adopt")));
  const std::string restored = in_database(primary().url("postgres"), "found_later");
  EXPECT_EQ(support::Sql(restored).number("SELECT count(*) FROM stock.heartbeat "
                                          "WHERE stamp > now() - interval '1 second'"),
            0);

  std::string text;
  EXPECT_EQ(stockctl({"ledger", "adopt", "--database-url", restored.c_str(), "--yes"}, text), 0)
      << text;
  EXPECT_TRUE(eventually([&] { return client.serving(); }));
  EXPECT_TRUE(eventually([&] { return client.create_location("late").ok(); }));
  EXPECT_TRUE(client.adjust("sold", "late", 1).ok());
}

// The interleaving: a dump; a write, which is acknowledged, announced and read; the dump is
// restored over the ledger while stockd runs. All that was dumped is as it was, also what is
// UNLOGGED.
TEST_F(ServiceAdoptionTest,
       a_ledger_that_is_restored_over_itself_is_another_one_until_it_is_adopted) {
  const support::TempDir dir;
  const std::string dump = dir.path() / "dump.sql";
  const std::string database = primary().url("postgres");
  const StockdProcess::Options options = {.primary_url = primary().url(),
                                          .redis_url = redis().url()};
  std::string lost;
  {
    StockdProcess stockd(options);
    StockClient client(stockd.address());
    client.create_location("main", "Main");
    ASSERT_TRUE(client.adjust("undone", "main", 100).ok());
    dump_to(dump, dir);
    lost = client.adjust("undone", "main", 1).response.token();
    ASSERT_TRUE(eventually(
        [&] { return trail_of(client.get("undone", "main", showing(lost)).response.provenance()); },
        Eq("memory hit")));
    support::run_command({"psql", database, "-Xqv", "ON_ERROR_STOP=1", "--file", dump},
                         dir.path() / "log");
    EXPECT_TRUE(
        eventually([&] { return client.adjust("undone", "main", 5).reason; }, Eq("LEDGER_UNFIT")));
    const auto read = client.get("undone", "main", fully_consistent());
    EXPECT_EQ(read.code, kUnavailable) << read.message;
  }
  EXPECT_THROW(StockdProcess{options}, std::runtime_error);
  std::string text;
  ASSERT_EQ(stockctl({"ledger", "adopt", "--database-url", database, "--yes"}, text), 0) << text;

  StockdProcess stockd(options);
  StockClient client(stockd.address());
  EXPECT_EQ(client.get("undone", "main", showing(lost)).reason, "WRITE_LOST");
  const auto read = client.get("undone", "main");
  ASSERT_TRUE(read.ok()) << read.message;
  EXPECT_EQ(read.response.level().counts().on_hand(), 100);
  EXPECT_EQ(read.response.level().version(), 1);
}

TEST_F(ServiceAdoptionTest, nothing_is_adopted_under_the_feet_of_a_stockd) {
  restore_into("in_use");
  const std::string restored = in_database(primary().url("postgres"), "in_use");
  const std::vector<std::string> adopt = {"ledger", "adopt", "--database-url", restored, "--yes"};
  std::string text;
  ASSERT_EQ(stockctl(adopt, text), 0) << text;
  const StockdProcess stockd({.primary_url = in_database(primary().url(), "in_use")});
  support::Sql sql(restored);
  // Younger ones may be of a stockd that looks whether it may use the ledger.
  EXPECT_TRUE(eventually(
      [&] {
        return sql.number(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = 'in_use' "
            "AND application_name LIKE 'stockd%' "
            "AND backend_start < clock_timestamp() - interval '1 second'");
      },
      Gt(0)));
  sql.exec("UPDATE stock.ledger SET database = 1");
  EXPECT_EQ(stockctl(adopt, text), 1);
  EXPECT_THAT(text, HasSubstr("sessions of stockd"));

  std::vector<std::string> forced = adopt;
  forced.push_back("--force");
  EXPECT_EQ(stockctl(forced, text), 0) << text;
}

}  // namespace
}  // namespace stock
