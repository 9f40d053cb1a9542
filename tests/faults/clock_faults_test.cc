// Clocks that are set by an hour, forward and back: the database's, and that of a stockd's machine.
// Nothing may look fresher than it is meanwhile, however the copies are dated.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "support/eventually.h"
#include "support/fake_clock.h"
#include "support/history_record.h"
#include "support/postgres_server.h"
#include "support/redis_server.h"
#include "support/stock_client.h"
#include "support/stockd_process.h"

namespace stock::faults {
namespace {

using namespace std::chrono_literals;
using support::at_most;
using support::boot_time;
using support::eventually;
using support::StockClient;
using support::StockdProcess;
using ::testing::Eq;
using ::testing::Ge;
using ::testing::Ne;

class ClockFaultsTest : public ::testing::Test {
 protected:
  ClockFaultsTest() {
    primary_ = std::make_unique<support::PostgresServer>(support::PostgresServer::Settings{},
                                                         clock_.environment());
    replica_ = std::make_unique<support::PostgresReplica>(primary_->port());
    sql("INSERT INTO stock.location (id) VALUES ('main')");
  }

  StockdProcess::Options all_layers() {
    return {.primary_url = primary_->url(),
            .replica_url = replica_->url("stock_reader"),
            .redis_url = redis_.url()};
  }
  void sql(const std::string& statement) { primary_->connect().exec(statement); }
  std::string incarnation() {
    return primary_->connect().value("SELECT coalesce(max(id), 0) FROM stock.incarnation");
  }

  // Writes the next count of the lamp past every copy, again and again while the clock is set, and
  // asks a reader for it as it comes: an answer that shows an older count says that it is at least
  // as old as the newer one is known.
  void expect_honest_ages(StockClient& writer, StockClient& reader, const std::string& when) {
    for (int i = 0; i < 40; ++i) {
      const auto written = writer.adjust("lamp", "main", 1);
      if (!written.ok()) continue;
      const domain::LocalTime known = boot_time();
      for (int n = 0; n < 5; ++n) {
        const domain::LocalTime asked = boot_time();
        const auto read = reader.get("lamp", "main", at_most(1h, true));
        if (!read.ok()) continue;
        const v1::StockLevel& level = read.response.level();
        if (level.version() >= written.response.levels(0).version()) break;
        support::ReadOp op;
        support::note_provenance(read.response.provenance(), op);
        ASSERT_GE(op.age + op.uncertainty, asked - known)
            << when << ": " << support::trail_of(read.response.provenance());
      }
    }
  }

  void set_and_check(StockClient& writer, StockClient& reader, std::chrono::seconds ahead,
                     const std::string& when) {
    const std::string before = incarnation();
    clock_.set(ahead);
    expect_honest_ages(writer, reader, when);
    EXPECT_TRUE(eventually([&] { return incarnation(); }, testing::AllOf(Ne(before), Ne("0"))))
        << when << ": dates of two meanings in one incarnation";
    expect_honest_ages(writer, reader, when);
    // And all layers serve again.
    EXPECT_TRUE(eventually(
        [&] { return support::trail_of(reader.get("lamp", "main").response.provenance()); },
        testing::HasSubstr("hit")));
  }

  void check_database_clock(const StockdProcess::Options& read_by) {
    StockdProcess writes(
        StockdProcess::Options{.primary_url = primary_->url(), .flags = {"--layers", "primary"}});
    StockdProcess reads(read_by);
    StockClient writer(writes.address());
    StockClient reader(reads.address());
    ASSERT_TRUE(writer.adjust("lamp", "main", 1).ok());
    expect_honest_ages(writer, reader, "before");
    set_and_check(writer, reader, 1h, "an hour ahead");
    set_and_check(writer, reader, 0s, "back again");
    set_and_check(writer, reader, -1h, "an hour behind");
    set_and_check(writer, reader, 0s, "forward again");
  }

  support::FakeClock clock_;
  std::unique_ptr<support::PostgresServer> primary_;
  std::unique_ptr<support::PostgresReplica> replica_;
  support::RedisServer redis_;
};

TEST_F(ClockFaultsTest, the_databases_clock_is_set_under_a_feed) {
  check_database_clock(all_layers());
}

TEST_F(ClockFaultsTest, the_databases_clock_is_set_and_copies_have_their_own_dates) {
  StockdProcess::Options options = all_layers();
  options.flags = {"--feed", "off"};
  check_database_clock(options);
}

// Its process goes by a clock that nobody can set.
TEST_F(ClockFaultsTest, the_clock_of_a_stockds_machine_is_set) {
  support::FakeClock machine;
  StockdProcess::Options options = all_layers();
  options.environment = machine.environment();
  // The sanitizer wants to be loaded first.
  const char* given = std::getenv("ASAN_OPTIONS");
  options.environment["ASAN_OPTIONS"] =
      std::string(given == nullptr ? "" : given) + ":verify_asan_link_order=0";
  StockdProcess writes(StockdProcess::Options{.primary_url = primary_->url()});
  StockdProcess reads(options);
  StockClient writer(writes.address());
  StockClient reader(reads.address());
  ASSERT_TRUE(writer.adjust("lamp", "main", 1).ok());
  const std::string before = incarnation();
  for (const std::chrono::seconds ahead : {3600s, 0s, -3600s, 0s}) {
    machine.set(ahead);
    expect_honest_ages(writer, reader, "the machine's clock was set");
    const auto read = reader.get("lamp", "main");
    ASSERT_TRUE(read.ok()) << read.message;
    EXPECT_LT(read.response.provenance().age().seconds(), 5);
  }
  EXPECT_EQ(incarnation(), before) << "the ledger has nothing to do with it";
}

}  // namespace
}  // namespace stock::faults
