// Transactions in every order that a database allows: open for long, committed late, taken back,
// waiting for a standby; with copies filled in between.
#include <optional>
#include <string>

#include "faults/fault_test.h"
#include "faults/hoarder.h"

namespace stock::faults {
namespace {

std::string where(const domain::Key& key) {
  return fmt::format("sku = '{}' AND location = '{}'", key.sku, key.location);
}

std::string raise(const domain::Key& key) {
  return fmt::format("UPDATE stock.level SET on_hand = on_hand + 1 WHERE {}", where(key));
}

class TransactionFaultsTest : public FaultTest {
 protected:
  // A key that is there, and that the clients read and write.
  static domain::Key a_key() {
    const domain::Key key = world().keys.back();
    support::Sql sql = world().primary->connect();
    EXPECT_TRUE(eventually([&] {
      return sql.number(fmt::format("SELECT count(*) FROM stock.level WHERE {}", where(key))) == 1;
    }));
    return key;
  }
};

// Its number is lower than those of all that others commit meanwhile.
TEST_F(TransactionFaultsTest, one_stays_open_while_others_commit) {
  world().run([](Swarm&) {
    for (const char* end : {"COMMIT", "ROLLBACK"}) {
      support::Sql sql = world().primary->connect();
      sql.exec("BEGIN");
      sql.exec(
          "INSERT INTO stock.level (sku, location, on_hand) VALUES ('late', 'main', 1)"
          " ON CONFLICT (sku, location) DO UPDATE SET on_hand = stock.level.on_hand + 1");
      world().await_answers(kLasting);
      sql.exec(end);
      world().await_answers(kLasting / 4);
    }
  });
}

// What is read and filled between the deletion of the copy and the commit is the old level.
TEST_F(TransactionFaultsTest, the_copy_is_deleted_before_the_commit) {
  world().run([](Swarm&) {
    support::Sql sql = world().primary->connect();
    for (int i = 0; i < 10; ++i) {
      const domain::Key key = a_key();
      sql.exec("BEGIN");
      sql.exec(raise(key));
      world().redis->command({"FLUSHALL"});
      world().await_answers(kLasting / 20);
      sql.exec("COMMIT");
      world().await_answers(kLasting / 20);
    }
  });
}

// Whoever commits first may be the last one to set the copy: here the copies of all versions are
// set again in the reverse order of their commits.
TEST_F(TransactionFaultsTest, copies_are_set_in_the_reverse_order_of_commits) {
  world().run([](Swarm&) {
    Hoarder hoarder(world().redis->port());
    for (int i = 0; i < 20; ++i) {
      hoarder.take();
      world().await_answers(kLasting / 20);
      hoarder.put_back_in_reverse();
      world().await_answers(kLasting / 20);
    }
    EXPECT_GT(hoarder.put_back(), 100u);
  });
}

TEST_F(TransactionFaultsTest, what_is_rolled_back_is_never_told) {
  world().run([](Swarm&) {
    support::Sql sql = world().primary->connect();
    for (int i = 0; i < 20; ++i) {
      sql.exec("BEGIN");
      sql.exec(raise(a_key()));
      world().await_answers(kLasting / 40);
      sql.exec("ROLLBACK");
      world().await_answers(kLasting / 40);
    }
  });
}

// A snapshot of long ago on the replica holds up what it would have to see vanish, not what is
// told.
TEST_F(TransactionFaultsTest, a_long_one_on_the_replica_while_it_serves) {
  world().run([](Swarm&) {
    support::Sql sql = world().replica->connect();
    sql.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM stock.level");
    world().await_answers(kLasting / 2);
    world().primary->connect().exec("VACUUM stock.level");
    world().await_answers(kLasting / 2);
    try {
      sql.exec("COMMIT");
    } catch (const support::SqlError&) {
      // The replica ended it, to go on.
    }
  });
}

// Long after its commit's timestamp it becomes visible.
TEST_F(TransactionFaultsTest, a_commit_waits_for_a_synchronous_standby) {
  world().run([](Swarm&) {
    support::Sql sql = world().primary->connect();
    const auto wait_for = [&](const std::string& standby) {
      sql.exec(fmt::format("ALTER SYSTEM SET synchronous_standby_names = '{}'", standby));
      sql.exec("SELECT pg_reload_conf()");
    };
    wait_for("replica");
    world().await_answers(kLasting / 4);
    for (int i = 0; i < 4; ++i) {
      world().replication->stall();
      world().await_calls(kLasting / 20);
      world().replication->open();
      world().await_answers(kLasting / 8);
    }
    wait_for("");
  });
}

}  // namespace
}  // namespace stock::faults
