// Who is the primary? Addresses that lead elsewhere, standbys of one primary that are both
// promoted, a primary that was replaced and goes on, and two who believe that they lead.
#include <atomic>
#include <thread>

#include "faults/fault_test.h"
#include "stock/postgres/sql.h"
#include "support/sql.h"
#include "support/stock_client.h"

namespace stock::faults {
namespace {

using support::PostgresReplica;
using support::PostgresServer;
using support::Sql;
using support::StockClient;
using support::StockdProcess;
using ::testing::AnyOf;

class IdentityFaultsTest : public FaultTest {};

TEST_F(IdentityFaultsTest, the_line_called_primary_leads_to_the_replica_for_a_while) {
  world().run([](Swarm&) {
    for (int i = 0; i < 3; ++i) {
      world().each([](Member& member) {
        member.primary->point_to(world().replica->port());
        member.primary->reset_connections();
      });
      world().await_calls(kLasting);
      world().each([](Member& member) {
        member.primary->point_to(world().primary->port());
        member.primary->reset_connections();
      });
      world().await_calls(kLasting);
    }
    world().await_recovery();
  });
}

// What a leader does, without the lock by which there is only one.
TEST_F(IdentityFaultsTest, two_lead_at_once) {
  world().run([](Swarm&) {
    std::atomic<int> beaten = 0;
    std::jthread usurper([&](const std::stop_token& stop) {
      Sql sql(world().primary->url("stock_writer"));
      while (!stop.stop_requested()) {
        try {
          // Now and then slowly, so that the other one comes in between.
          sql.exec("BEGIN");
          sql.exec(postgres::sql::beat().text);
          if (beaten % 3 == 0) sql.exec("SELECT pg_sleep(0.15)");
          sql.exec("COMMIT");
          ++beaten;
        } catch (const std::exception&) {  // the number was taken
          sql.exec("ROLLBACK");
        }
      }
    });
    world().await_answers(3 * kLasting);
    EXPECT_TRUE(eventually([&] { return beaten.load(); }, Ge(20)));
  });
}

void promote(PostgresServer& standby) {
  Sql(standby.url("postgres")).exec("SELECT pg_promote()");
  EXPECT_TRUE(eventually(
      [&] { return Sql(standby.url("postgres")).number("SELECT pg_is_in_recovery()::int"); },
      Eq(0)));
}

// A primary, two standbys, and a stockd whose lines go to whom they are told.
class TwoStandbysFaultsTest : public ::testing::Test {
 protected:
  TwoStandbysFaultsTest() {
    Sql(primary_.url("postgres")).exec("INSERT INTO stock.location (id) VALUES ('main')");
    StockClient client(stockd_.address());
    EXPECT_TRUE(eventually([&] { return client.adjust("A", "main", 100).ok(); }));
    for (PostgresServer* standby :
         {static_cast<PostgresServer*>(&first_), static_cast<PostgresServer*>(&second_)}) {
      EXPECT_TRUE(eventually(
          [&] {
            return Sql(standby->url("postgres"))
                .number("SELECT count(*) FROM stock.movement WHERE sku = 'A'");
          },
          Eq(1)));
    }
  }

  static std::int64_t xid_of_version(PostgresServer& server, int version) {
    return Sql(server.url("postgres"))
        .number("SELECT xid::text::bigint FROM stock.movement WHERE sku = 'A' AND version = " +
                std::to_string(version));
  }
  static v1::Consistency showing(const std::string& token) {
    v1::Consistency consistency;
    consistency.set_at_least_as_fresh(token);
    return consistency;
  }
  // That of the connection by which levels are read: it waits for a lock that only they need.
  std::int64_t reading_backend(StockClient& client) {
    Sql locking(primary_.url("postgres"));
    locking.exec("BEGIN; LOCK TABLE stock.level IN ACCESS EXCLUSIVE MODE");
    std::int64_t pid = 0;
    EXPECT_TRUE(eventually([&] {
      std::jthread read([&] { client.get("A", "main", support::fully_consistent()); });
      return eventually(
          [&] {
            pid = Sql(primary_.url("postgres"))
                      .number(
                          "SELECT coalesce(max(pid), 0) FROM pg_locks JOIN pg_stat_activity USING "
                          "(pid) "
                          "WHERE NOT granted AND relation = 'stock.level'::regclass "
                          "AND application_name LIKE 'stockd%'");
            return pid;
          },
          Gt(0), std::chrono::milliseconds(300));
    }));
    locking.exec("ROLLBACK");
    return pid;
  }
  void lead_to(PostgresServer& server) {
    line_.point_to(server.port());
    line_.reset_connections();
  }

  // Nobody but the test and its stockd is to take a transaction id.
  inline static const PostgresServer::Settings kAlone = {"autovacuum=off"};

  PostgresServer primary_{kAlone};
  PostgresReplica first_{primary_.port(), kAlone};
  PostgresReplica second_{primary_.port(), kAlone};
  support::RedisServer redis_;
  support::TcpGate line_{primary_.port()};
  StockdProcess stockd_{{.primary_url = "postgresql://stock_writer@127.0.0.1:" +
                                        std::to_string(line_.port()) + "/stock",
                         .redis_url = redis_.url(),
                         .flags = {"--primary-connections", "1", "--primary-timeout", "500ms",
                                   "--breaker-open", "100ms"}}};
};

// Both go on with the next transaction id, so that the same one comes to mean two things.
TEST_F(TwoStandbysFaultsTest, both_are_promoted) {
  primary_.kill9();
  promote(first_);
  promote(second_);
  lead_to(first_);
  StockClient client(stockd_.address());
  std::string in_the_first;
  EXPECT_TRUE(eventually([&] {
    const auto written = client.adjust("A", "main", 5);
    in_the_first = written.response.token();
    return written.ok();
  }));
  ASSERT_TRUE(eventually([&] { return client.get("A", "main", showing(in_the_first)).ok(); }));
  // Now that it is in memory and in Redis.
  EXPECT_TRUE(eventually(
      [&] { return client.get("A", "main").response.level().counts().on_hand(); }, Eq(105)));

  // Another version 2, by a transaction of the same number.
  const std::int64_t xid = xid_of_version(first_, 2);
  Sql other(second_.url("postgres"));
  std::int64_t last = 0;
  while (last < xid - 1) last = other.number("SELECT pg_current_xact_id()::text::bigint");
  ASSERT_EQ(last, xid - 1);
  other.exec("UPDATE stock.level SET on_hand = 107 WHERE sku = 'A'");
  ASSERT_EQ(xid_of_version(second_, 2), xid);

  lead_to(second_);
  const auto now = [&] {
    const auto read = client.get("A", "main", support::fully_consistent());
    if (read.ok()) {
      EXPECT_EQ(read.response.level().counts().on_hand(), 107);
    }
    return read.ok();
  };
  EXPECT_TRUE(eventually(now));
  for (int i = 0; i < 100; ++i) {
    const auto read = client.get("A", "main");
    ASSERT_TRUE(read.ok()) << read.message;
    EXPECT_EQ(read.response.level().version(), 2);
    EXPECT_EQ(read.response.level().counts().on_hand(), 107);
  }
  EXPECT_TRUE(eventually([&] { return client.get("A", "main", showing(in_the_first)).reason; },
                         Eq("WRITE_LOST")));
}

// Some of the connections still lead to the one that was replaced, which nobody has stopped.
TEST_F(TwoStandbysFaultsTest, the_former_primary_is_still_connected) {
  StockClient client(stockd_.address());
  const std::string reader = std::to_string(reading_backend(client));
  promote(first_);
  line_.point_to(first_.port());
  // The connection by which levels are read stays; the feed and the writers lose theirs.
  Sql(primary_.url("postgres"))
      .exec(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
          "WHERE application_name LIKE 'stockd%' AND pid <> " +
          reader);
  std::string written;
  EXPECT_TRUE(eventually([&] {
    const auto adjusted = client.adjust("A", "main", 5);
    written = adjusted.response.token();
    return adjusted.ok() && adjusted.response.levels(0).version() >= 2;
  }));
  // By then this process knows of the other history.
  EXPECT_TRUE(eventually([&] { return client.get("A", "main", showing(written)).ok(); }));
  const std::int64_t versions =
      Sql(first_.url("postgres")).number("SELECT version FROM stock.level WHERE sku = 'A'");
  EXPECT_GE(versions, 2);
  for (int i = 0; i < 200; ++i) {
    const auto read = client.get("A", "main", support::fully_consistent());
    if (read.ok()) {
      EXPECT_EQ(read.response.level().version(), versions) << i;
    }
    const auto absent = client.get("B" + std::to_string(i), "main", support::fully_consistent());
    EXPECT_THAT(absent.code, AnyOf(Eq(0), Eq(14))) << absent.message;
  }
  EXPECT_TRUE(
      eventually([&] { return client.get("A", "main", support::fully_consistent()).ok(); }));
  EXPECT_EQ(
      Sql(primary_.url("postgres")).number("SELECT count(*) FROM stock.movement WHERE sku = 'A'"),
      1);
}

}  // namespace
}  // namespace stock::faults
