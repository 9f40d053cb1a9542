#include "integration/postgres_world.h"
#include "stock/postgres/ledger_store.h"
#include "stock/postgres/location_store.h"

namespace stock::postgres {
namespace {

class PostgresReplicaLayer : public PostgresTest {
 protected:
  static void SetUpTestSuite() {
    PostgresTest::SetUpTestSuite();
    replica_ = std::make_unique<support::PostgresReplica>(primary().port());
  }
  static void TearDownTestSuite() {
    replica_.reset();
    PostgresTest::TearDownTestSuite();
  }
  static std::string replica_url() { return replica_->url("stock_reader"); }
  static void beat() {
    sql("INSERT INTO stock.heartbeat SELECT coalesce(max(number), 0) + 1, transaction_timestamp(),"
        " pg_current_snapshot(), 4711 FROM stock.heartbeat");
  }
  // Waits until the replica shows all that the primary has.
  static void catch_up() {
    const std::string position = sql().value("SELECT pg_current_wal_lsn()");
    auto replica = replica_->connect();
    ASSERT_TRUE(eventually([&] {
      return replica.value("SELECT pg_last_wal_replay_lsn() >= '" + position + "'::pg_lsn") == "t";
    }));
  }

  static inline std::unique_ptr<support::PostgresReplica> replica_;
};

TEST_F(PostgresReplicaLayer, a_standby_without_a_heartbeat_cannot_date_anything) {
  sql("DELETE FROM stock.heartbeat");
  catch_up();
  Database db(world_, Role::kReplica, session_options(replica_url()));
  EXPECT_THAT(db.error({"A", "main"}), HasSubstr("heartbeat"));
}

// What it shows from then on is of another history than the newest heartbeat that it has.
TEST_F(PostgresReplicaLayer, a_standby_that_was_promoted_answers_as_none) {
  support::PostgresReplica promoted(primary().port());
  beat();
  Database db(world_, Role::kReplica, session_options(promoted.url("stock_reader")));
  ASSERT_TRUE(eventually([&] { return db.error({"A", "main"}); }, IsEmpty()));
  auto on_it = promoted.connect();
  on_it.exec("SELECT pg_promote()");
  on_it.exec(
      "INSERT INTO stock.level (sku, location, on_hand) VALUES ('of another history', 'main', 1)");
  EXPECT_THAT(db.error({"of another history", "main"}), HasSubstr("no standby"));
}

TEST_F(PostgresReplicaLayer, a_reading_is_true_through_the_heartbeat_that_came_with_it) {
  sql("INSERT INTO stock.level (sku, location, on_hand) VALUES ('A', 'main', 1)");
  beat();
  catch_up();
  Database db(world_, Role::kReplica, session_options(replica_url()));
  const domain::Reading reading = db.reading({"A", "main"});
  EXPECT_TRUE(reading.exists);
  EXPECT_EQ(reading.true_through.time_since_epoch().count(),
            sql().number("SELECT extract(epoch FROM max(stamp)) * 1000000 FROM stock.heartbeat"));
  EXPECT_EQ(reading.heartbeat, sql().number("SELECT max(number) FROM stock.heartbeat"));
  EXPECT_EQ(reading.incarnation, 4711u);
  EXPECT_EQ(world_.identity.current(), 4711u);
  EXPECT_FALSE(world_.clock.age(reading.true_through)) << "only the primary's clock is asked";
}

TEST_F(PostgresReplicaLayer, a_paused_standby_keeps_its_old_honest_date) {
  sql("INSERT INTO stock.level (sku, location, on_hand) VALUES ('P', 'main', 1)");
  beat();
  catch_up();
  Database db(world_, Role::kReplica, session_options(replica_url()));
  const domain::Reading before = db.reading({"P", "main"});
  auto replica = replica_->connect();
  replica.exec("SELECT pg_wal_replay_pause()");
  ASSERT_TRUE(eventually(
      [&] { return replica.value("SELECT pg_get_wal_replay_pause_state()") == "paused"; }));
  sql("UPDATE stock.level SET on_hand = 2 WHERE sku = 'P'");
  beat();
  const domain::Reading paused = db.reading({"P", "main"});
  EXPECT_EQ(paused.counts.on_hand, 1);
  EXPECT_EQ(paused.version, 1);
  EXPECT_EQ(paused.true_through, before.true_through);
  replica.exec("SELECT pg_wal_replay_resume()");
  catch_up();
  const domain::Reading after = db.reading({"P", "main"});
  EXPECT_EQ(after.counts.on_hand, 2);
  EXPECT_GT(after.true_through, before.true_through);
}

TEST_F(PostgresReplicaLayer, commit_times_are_the_same_on_both) {
  sql("INSERT INTO stock.level (sku, location, on_hand) VALUES ('C', 'main', 1)");
  beat();
  catch_up();
  Database primary_db = database();
  Database replica_db(world_, Role::kReplica, session_options(replica_url()));
  EXPECT_EQ(primary_db.reading({"C", "main"}).as_of, replica_db.reading({"C", "main"}).as_of);
}

TEST_F(PostgresReplicaLayer, a_standby_that_is_called_primary_is_refused_and_not_hammered) {
  Database db(world_, Role::kPrimary, session_options(replica_->url()), 1);
  EXPECT_THAT(db.error({"A", "main"}), HasSubstr("standby"));
  EXPECT_THAT(db.error({"A", "main"}), HasSubstr("standby"));
  EXPECT_EQ(world_.identity.current(), 0u);
  EXPECT_FALSE(world_.clock.age(domain::DatabaseTime()));
  EXPECT_EQ(db.pool.stats().connections_up, 0u);
}

TEST_F(PostgresReplicaLayer, nothing_is_written_to_a_standby) {
  Session session(LedgerStore::for_writing(session_options(replica_->url())), world_.local,
                  world_.timers);
  LedgerStore store(session, world_.identity);
  const auto transaction = store.begin();
  ASSERT_TRUE(transaction.ok());
  const std::vector<Key> keys = {{"A", "main"}};
  const absl::Status status = (*transaction)->open(keys, {}).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  Heart heart({.session = session_options(replica_->url())}, world_.knowledge, world_.timers);
  EXPECT_TRUE(eventually([&] { return heart.state().error; }, HasSubstr("standby")));
  EXPECT_FALSE(heart.state().leads);
}

}  // namespace
}  // namespace stock::postgres
