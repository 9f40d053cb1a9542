// What people do to the ledger by SQL while it is in use.
#include "faults/fault_test.h"
#include "faults/hoarder.h"

namespace stock::faults {
namespace {

class LedgerFaultsTest : public FaultTest {
 protected:
  // By the ledger itself. Locks are not waited for long: who waits for a table holds up everybody
  // else, and so whoever the table is waited from.
  static void refused(support::Sql& sql, const std::string& statements) {
    EXPECT_TRUE(eventually(
        [&]() -> std::string {
          try {
            sql.exec("SET LOCAL lock_timeout = '50ms'; " + statements);
            sql.exec("ROLLBACK");
            return "done";
          } catch (const support::SqlError& error) {
            sql.exec("ROLLBACK");
            return error.state();
          }
        },
        Eq("23000")))
        << statements;
  }
};

TEST_F(LedgerFaultsTest, nobody_gets_around_it) {
  world().run([](Swarm&) {
    support::Sql sql = world().primary->connect();
    sql.exec("SET session_replication_role = replica");
    for (int i = 0; i < 5; ++i) {
      for (const char* table : {"stock.level", "stock.movement"}) {
        refused(sql, fmt::format("TRUNCATE {} CASCADE", table));
      }
      refused(sql, "UPDATE stock.movement SET on_hand = 1");
      refused(sql, "DELETE FROM stock.movement");
      // Under another transaction's number, and in place of a version to come.
      for (const char* xid : {"'3'", "pg_current_xact_id()"}) {
        refused(sql, fmt::format(
                         "INSERT INTO stock.movement (sku, location, version, kind, xid,"
                         " on_hand_delta, reserved_delta, committed_delta, safety_stock_delta,"
                         " backorder_limit_delta, on_hand, reserved, committed, safety_stock,"
                         " backorder_limit) SELECT sku, location, max(version) + 2, 'SET', {},"
                         " 0, 0, 0, 0, 0, 1, 0, 0, 0, 0 FROM stock.movement GROUP BY 1, 2 LIMIT 1",
                         xid));
      }
      // Is recorded all the same: the checker finds its version, or the run fails.
      sql.exec(
          fmt::format("UPDATE stock.level SET on_hand = on_hand + 1, version = version"
                      " WHERE sku = '{}'",
                      world().keys[0].sku));
      world().await_answers(kLasting / 5);
    }
  });
}

// PostgreSQL forgets when transactions were committed; what clients are told may not change.
TEST_F(LedgerFaultsTest, commit_timestamps_are_forgotten) {
  world().run([](Swarm&) {
    support::Sql sql = world().primary->connect();
    sql.exec("ALTER DATABASE template0 ALLOW_CONNECTIONS true");
    for (int i = 0; i < 3; ++i) {
      world().await_answers(kLasting / 4);
      for (const char* database : {"template0", "template1", "postgres", "stock"}) {
        support::Sql(
            fmt::format("postgresql://postgres@127.0.0.1:{}/{}", world().primary->port(), database))
            .exec("VACUUM FREEZE");
      }
      world().redis->command({"FLUSHALL"});
      world().await_answers(kLasting / 4);
    }
  });
}

TEST_F(LedgerFaultsTest, what_was_deleted_comes_back_as_a_copy) {
  world().run([](Swarm&) {
    support::Sql sql = world().primary->connect();
    Hoarder hoarder(world().redis->port());
    for (int i = 0; i < 16; ++i) {
      hoarder.take();
      const domain::Key& key = world().keys[static_cast<std::size_t>(i) % world().keys.size()];
      sql.exec(fmt::format("DELETE FROM stock.level WHERE sku = '{}'", key.sku));
      hoarder.put_back_any(world().seed + static_cast<std::uint64_t>(i));
      world().await_answers(kLasting / 16);
    }
    EXPECT_GT(hoarder.put_back(), 50u);
  });
}

// Copies of before a crash under the names of after it, and of one key under that of another.
TEST_F(LedgerFaultsTest, copies_of_another_incarnation) {
  world().run([](Swarm&) {
    Hoarder hoarder(world().redis->port());
    world().await_answers(kLasting / 4);
    hoarder.take();
    world().primary->kill9();
    world().primary->start();
    world().await_recovery();
    for (int i = 0; i < 10; ++i) {
      hoarder.take();
      hoarder.put_back_under_other_names(world().seed + static_cast<std::uint64_t>(i));
      world().await_answers(kLasting / 10);
    }
    EXPECT_GT(hoarder.put_back(), 100u);
  });
}

}  // namespace
}  // namespace stock::faults
