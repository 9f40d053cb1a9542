// That what the other tests stand on holds: servers that can be ended, frozen and started again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "support/eventually.h"
#include "support/postgres_server.h"
#include "support/redis_server.h"
#include "support/tcp_gate.h"

namespace stock::support {
namespace {

constexpr const char* kLocations = "SELECT count(*) FROM stock.location";

void add_location(const PostgresServer& server, const std::string& id) {
  server.connect().exec("INSERT INTO stock.location (id) VALUES ('" + id + "')");
}

TEST(PostgresServers, a_replica_follows_and_a_cut_wire_stops_it) {
  PostgresServer primary;
  TcpGate gate(primary.port());
  PostgresReplica replica(gate.port());
  const auto seen = [&] { return replica.connect("stock_reader").number(kLocations); };

  add_location(primary, "LON");
  EXPECT_TRUE(eventually(seen, 1));

  gate.cut();
  add_location(primary, "MAN");
  EXPECT_EQ(seen(), 1);
  gate.open();
  EXPECT_TRUE(eventually(seen, 2));
}

TEST(PostgresServers, what_was_committed_survives_every_way_of_ending) {
  PostgresServer primary;
  add_location(primary, "LON");
  EXPECT_EQ(primary.stop(), 0);
  primary.start();
  add_location(primary, "MAN");
  primary.kill9();
  primary.start();
  EXPECT_EQ(primary.connect("stock_writer").number(kLocations), 2);
}

TEST(PostgresServers, a_stopped_one_answers_after_it_continues) {
  PostgresServer primary;
  Sql sql = primary.connect();
  sql.exec("SET statement_timeout = '1s'");
  primary.sigstop();
  constexpr std::chrono::milliseconds kStopped(1500);
  const auto asked = std::chrono::steady_clock::now();
  std::thread later([&] {
    std::this_thread::sleep_for(kStopped);
    primary.sigcont();
  });
  EXPECT_EQ(sql.value("SELECT 'here'"), "here");
  EXPECT_GE(std::chrono::steady_clock::now() - asked, kStopped);
  later.join();
}

TEST(PostgresServers, an_error_tells_its_sqlstate) {
  PostgresServer primary;
  Sql sql = primary.connect("stock_reader");
  try {
    sql.exec("DELETE FROM stock.location");
    ADD_FAILURE() << "a reader may write";
  } catch (const SqlError& error) {
    EXPECT_EQ(error.state(), "42501");
  }
}

TEST(RedisServers, a_restart_forgets) {
  RedisServer redis;
  EXPECT_EQ(redis.command({"SET", "key", "value"}), "OK");
  EXPECT_EQ(redis.command({"GET", "key"}), "value");
  redis.kill9();
  redis.start();
  EXPECT_EQ(redis.command({"GET", "key"}), "");
}

}  // namespace
}  // namespace stock::support
