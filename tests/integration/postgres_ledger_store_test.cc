#include <thread>

#include "integration/postgres_world.h"
#include "stock/postgres/connection.h"
#include "stock/postgres/ledger_store.h"
#include "support/eventually.h"

namespace stock::postgres {
namespace {

using ledger::PlannedMovement;
using ledger::Request;

domain::Uuid uuid(std::uint8_t number) {
  domain::Uuid id{};
  id[15] = number;
  return id;
}

Request request(std::uint8_t number) {
  Request request;
  request.id = uuid(number);
  request.digest.fill(number);
  request.kind = domain::MovementKind::kSet;
  request.reason = "it's {a} \"reason\", \\ and more";
  request.reference = "https://orders.example/1";
  request.actor = "tests";
  return request;
}

class PostgresLedgerStore : public PostgresTest {
 protected:
  void SetUp() override {
    sql("DELETE FROM stock.level;"
        "ALTER TABLE stock.request DISABLE TRIGGER check_forgetting;"
        "DELETE FROM stock.request;"
        "ALTER TABLE stock.request ENABLE ALWAYS TRIGGER check_forgetting");
  }

  // A store as another process would have it.
  struct Writer {
    Writer(World& world, SessionOptions options)
        : session(LedgerStore::for_writing(std::move(options)), world.local, world.timers),
          store(session, world.identity) {}
    std::unique_ptr<ledger::Transaction> begin() {
      auto transaction = store.begin();
      EXPECT_TRUE(transaction.ok()) << transaction.status();
      return transaction.ok() ? *std::move(transaction) : nullptr;
    }
    Session session;
    LedgerStore store;
  };

  static absl::Status write(ledger::Transaction& transaction,
                            const std::vector<PlannedMovement>& movements,
                            const std::vector<Request>& requests) {
    ledger::Plan plan{.movements = movements};
    for (const Request& request : requests) plan.applied.push_back(&request);
    return transaction.commit(plan).status();
  }
  // The first unit of a key.
  static absl::StatusOr<ledger::Committed> write_one_unit(ledger::Transaction& transaction,
                                                          const Key& key, const Request& request) {
    return transaction.commit({.movements = {{.key = key,
                                              .version = 1,
                                              .before = {},
                                              .after = {.on_hand = 1},
                                              .creates_level = true,
                                              .request = 0}},
                               .applied = {&request}});
  }
  // One request that sets on_hand from what is locked.
  absl::Status set(Writer& writer, const Key& key, std::int64_t on_hand, std::uint8_t id) {
    const auto transaction = writer.begin();
    const std::vector<Key> keys = {key};
    const auto opened = transaction->open(keys, {});
    if (!opened.ok()) return opened.status();
    const ledger::LockedLevel& level = opened->levels.at(key);
    domain::Counts after = level.counts;
    after.on_hand = on_hand;
    return write(*transaction,
                 {{.key = key,
                   .version = level.version + 1,
                   .before = level.counts,
                   .after = after,
                   .creates_level = !level.exists,
                   .request = 0}},
                 {request(id)});
  }

  // Waits for locks for as long as a service does.
  SessionOptions patient() const {
    SessionOptions options = this->options();
    options.statement_timeout = 20s;
    options.hang_limit = 30s;
    return options;
  }

  Writer writer_{world_, patient()};
  Database db_ = database();
};

TEST_F(PostgresLedgerStore, new_and_existing_levels_are_written_with_their_movements) {
  const Key existing{"existing", "main"};
  const Key created{"n,e\"w\\ {NULL}", "main"};
  sql("INSERT INTO stock.level (sku, location, on_hand) VALUES ('existing', 'main', 10)");
  {
    const auto transaction = writer_.begin();
    const std::vector<Key> keys = {existing, created};
    const auto opened = transaction->open(keys, {});
    ASSERT_TRUE(opened.ok()) << opened.status();
    const ledger::LockedLevels* locked = &opened->levels;
    EXPECT_TRUE(locked->at(existing).exists);
    EXPECT_EQ(locked->at(existing).counts.on_hand, 10);
    const domain::Version version = locked->at(existing).version;
    EXPECT_FALSE(locked->at(created).exists);
    EXPECT_TRUE(locked->at(created).location_exists);
    const auto movement = [](Key key, domain::Version version, std::int64_t before,
                             std::int64_t after, bool creates, std::size_t request) {
      return PlannedMovement{.key = std::move(key),
                             .version = version,
                             .before = {.on_hand = before},
                             .after = {.on_hand = after},
                             .creates_level = creates,
                             .kind = domain::MovementKind::kSet,
                             .request = request};
    };
    const absl::Status status = write(
        *transaction,
        {movement(existing, version + 1, 10, 9, false, 0), movement(created, 1, 0, 5, true, 0),
         movement(created, 2, 5, 7, false, 1), movement(existing, version + 2, 9, 8, false, 1)},
        {request(1), request(2), request(3)});
    ASSERT_TRUE(status.ok()) << status;
  }
  EXPECT_EQ(db_.reading(existing).counts.on_hand, 8);
  const domain::Reading reading = db_.reading(created);
  EXPECT_EQ(reading.counts.on_hand, 7);
  EXPECT_EQ(reading.version, 2);
  const auto page = db_.movements(created);
  ASSERT_TRUE(page.ok());
  ASSERT_THAT(page->movements, SizeIs(2));
  const domain::Movement& first = page->movements[1];
  EXPECT_EQ(first.kind, domain::MovementKind::kSet);
  EXPECT_EQ(first.reason, request(1).reason);
  EXPECT_EQ(first.reference, request(1).reference);
  EXPECT_EQ(first.actor, "tests");
  EXPECT_EQ(first.request, uuid(1));
  EXPECT_EQ(first.delta.on_hand, 5);
  EXPECT_EQ(first.committed_at, reading.as_of);

  const auto transaction = writer_.begin();
  const std::vector<domain::Uuid> ids = {uuid(1), uuid(2), uuid(3), uuid(4)};
  const auto recalled = transaction->open({}, ids);
  ASSERT_TRUE(recalled.ok()) << recalled.status();
  const auto* remembered = &recalled->requests;
  ASSERT_THAT(*remembered, SizeIs(3));
  EXPECT_EQ(remembered->at(uuid(1)).digest, request(1).digest);
  ASSERT_THAT(remembered->at(uuid(1)).levels, SizeIs(2));
  EXPECT_EQ(remembered->at(uuid(1)).levels[0].key, existing);
  EXPECT_EQ(remembered->at(uuid(1)).levels[0].counts.on_hand, 9);
  EXPECT_EQ(remembered->at(uuid(1)).levels[1].key, created);
  EXPECT_EQ(remembered->at(uuid(1)).levels[1].counts.on_hand, 5);
  EXPECT_EQ(remembered->at(uuid(1)).levels[1].version, 1);
  EXPECT_THAT(remembered->at(uuid(3)).levels, IsEmpty());
  EXPECT_EQ(remembered->at(uuid(3)).digest, request(3).digest);
}

TEST_F(PostgresLedgerStore, no_movement_of_ours_is_taken_for_a_direct_change) {
  ASSERT_TRUE(set(writer_, {"ours", "main"}, 3, 1).ok());
  ASSERT_TRUE(set(writer_, {"ours", "main"}, 4, 2).ok());
  EXPECT_EQ(sql().number("SELECT count(*) FROM stock.movement WHERE sku = 'ours'"), 2);
  EXPECT_EQ(sql().number("SELECT count(*) FROM stock.movement"
                         " WHERE sku = 'ours' AND kind = 'DIRECT'"),
            0);
}

TEST_F(PostgresLedgerStore, a_tombstoned_key_continues_its_versions) {
  sql("INSERT INTO stock.level (sku, location, on_hand) VALUES ('again', 'main', 1);"
      "DELETE FROM stock.level WHERE sku = 'again'");
  ASSERT_TRUE(set(writer_, {"again", "main"}, 6, 1).ok());
  const domain::Reading reading = db_.reading({"again", "main"});
  EXPECT_TRUE(reading.exists);
  EXPECT_EQ(reading.version, 3);
}

TEST_F(PostgresLedgerStore, an_unknown_location_is_told_before_and_refused_after) {
  const auto transaction = writer_.begin();
  const std::vector<Key> keys = {{"a", "atlantis"}};
  const auto opened = transaction->open(keys, {});
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_FALSE(opened->levels.at(keys[0]).exists);
  EXPECT_FALSE(opened->levels.at(keys[0]).location_exists);
  const absl::Status status = write(*transaction,
                                    {{.key = keys[0],
                                      .version = 1,
                                      .before = {},
                                      .after = {.on_hand = 1},
                                      .creates_level = true,
                                      .request = 0}},
                                    {request(1)});
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
}

TEST_F(PostgresLedgerStore, who_creates_a_level_second_is_aborted) {
  Writer other(world_, options());
  const std::vector<Key> keys = {{"race", "main"}};
  const std::vector<PlannedMovement> movements = {{.key = keys[0],
                                                   .version = 1,
                                                   .before = {},
                                                   .after = {.on_hand = 1},
                                                   .creates_level = true,
                                                   .request = 0}};
  const auto first = writer_.begin();
  const auto second = other.begin();
  ASSERT_TRUE(first->open(keys, {}).ok());
  ASSERT_TRUE(second->open(keys, {}).ok());
  ASSERT_TRUE(write(*first, movements, {request(1)}).ok());
  EXPECT_TRUE(absl::IsAborted(write(*second, movements, {request(2)})));
}

// Between our locks and what is read behind them somebody creates what was not there to be locked.
TEST_F(PostgresLedgerStore, a_level_that_is_seen_and_not_locked_is_not_written) {
  const std::vector<Key> keys = {{"gate", "main"}, {"late", "main"}};
  sql("INSERT INTO stock.level (sku, location, on_hand) VALUES ('gate', 'main', 1)");
  auto other = primary().connect();
  other.exec("BEGIN; UPDATE stock.level SET on_hand = 2 WHERE sku = 'gate'");
  const auto transaction = writer_.begin();
  // Waits for the gate, while it has not seen what comes after that in the order of locking.
  auto opening = std::async(std::launch::async, [&] { return transaction->open(keys, {}); });
  ASSERT_TRUE(eventually(
      [] { return sql().number("SELECT count(*) FROM pg_locks WHERE NOT granted") > 0; }));
  other.exec("INSERT INTO stock.level (sku, location, on_hand) VALUES ('late', 'main', 1)");
  other.exec("COMMIT");
  EXPECT_TRUE(absl::IsAborted(opening.get().status()));
}

TEST_F(PostgresLedgerStore, what_is_not_all_written_is_not_committed) {
  const auto transaction = writer_.begin();
  const std::vector<Key> keys = {{"ghost", "main"}};
  ASSERT_TRUE(transaction->open(keys, {}).ok());
  const Request its = request(1);
  ledger::Plan plan{.applied = {&its}};
  plan.reservations.push_back({.reservation = {.id = uuid(77),
                                               .expire_at = domain::DatabaseTime(1s),
                                               .lines = {{.key = keys[0], .quantity = 1}}},
                               .created = false});
  const auto written = transaction->commit(plan);
  EXPECT_EQ(written.status().code(), absl::StatusCode::kInternal) << written.status();
  EXPECT_THAT(std::string(written.status().message()),
              HasSubstr("0 reservations were written, where 1 were to be"));
  EXPECT_EQ(sql().number("SELECT count(*) FROM stock.request"), 0);
}

TEST_F(PostgresLedgerStore, a_request_is_applied_once) {
  ASSERT_TRUE(set(writer_, {"once", "main"}, 1, 7).ok());
  EXPECT_TRUE(absl::IsAborted(set(writer_, {"once", "main"}, 2, 7)));
  EXPECT_EQ(db_.reading({"once", "main"}).counts.on_hand, 1);
}

TEST_F(PostgresLedgerStore, a_request_knows_the_transaction_that_applied_it) {
  const std::vector<Key> keys = {{"proof", "main"}};
  domain::Transaction persisted;
  std::optional<domain::DatabaseTime> committed_at;
  {
    const auto transaction = writer_.begin();
    ASSERT_TRUE(transaction->open(keys, {}).ok());
    const auto written = write_one_unit(*transaction, keys[0], request(9));
    ASSERT_TRUE(written.ok()) << written.status();
    persisted = written->transaction;
    committed_at = written->at;
  }
  ASSERT_TRUE(committed_at);
  EXPECT_EQ(committed_at->time_since_epoch().count(),
            sql().number("SELECT (extract(epoch FROM pg_xact_commit_timestamp(xid::xid)) * 1000000)"
                         "::bigint FROM stock.movement WHERE sku = 'proof'"));
  EXPECT_EQ(persisted.incarnation, 4711u);
  EXPECT_EQ(std::to_string(persisted.xid),
            sql().value("SELECT xid FROM stock.movement WHERE sku = 'proof'"));
  EXPECT_TRUE(db_.read(keys).answers[0].shows->shows(persisted.xid));
  EXPECT_EQ(std::to_string(world_.identity.ledger()), sql().value("SELECT id FROM stock.ledger"));

  const auto later = writer_.begin();
  const std::vector<domain::Uuid> ids = {request(9).id};
  const auto recalled = later->open(keys, ids);
  ASSERT_TRUE(recalled.ok()) << recalled.status();
  EXPECT_EQ(recalled->requests.at(ids[0]).transaction, persisted);
}

// What is written between a promotion and the new incarnation would be dated by old heartbeats.
TEST_F(PostgresLedgerStore, while_the_ledger_is_in_no_incarnation_nothing_is_written) {
  const std::vector<Key> keys = {{"between", "main"}};
  sql("DELETE FROM stock.incarnation");
  {
    const auto transaction = writer_.begin();
    const auto opened = transaction->open(keys, {});
    EXPECT_TRUE(absl::IsUnavailable(opened.status())) << opened.status();
  }
  EXPECT_EQ(sql().number("SELECT count(*) FROM stock.movement WHERE sku = 'between'"), 0);
  sql("INSERT INTO stock.incarnation (id) VALUES (4711)");
  ASSERT_TRUE(eventually([&] { return writer_.store.begin().ok(); })) << "another session";
  EXPECT_TRUE(set(writer_, keys[0], 1, 1).ok());
}

// As when PREPARE was timed out, and had taken effect all the same.
TEST_F(PostgresLedgerStore, a_session_with_a_statement_that_we_do_not_know_of_is_given_up) {
  const absl::Status planted = writer_.session.run([](Connection& connection) {
    pqxx::nontransaction transaction(connection.pq());
    transaction.exec("PREPARE lock_levels AS SELECT 1");
    return absl::OkStatus();
  });
  ASSERT_TRUE(planted.ok()) << planted;
  const std::vector<Key> keys = {{"confused", "main"}};
  {
    const auto transaction = writer_.begin();
    const auto opened = transaction->open(keys, {});
    EXPECT_TRUE(absl::IsUnavailable(opened.status())) << opened.status();
  }
  ASSERT_TRUE(support::eventually([&] { return writer_.store.begin().ok(); }));
  EXPECT_TRUE(set(writer_, keys[0], 1, 1).ok());
}

TEST_F(PostgresLedgerStore, a_transaction_that_is_not_committed_leaves_nothing) {
  const std::vector<Key> keys = {{"nothing", "main"}};
  {
    const auto transaction = writer_.begin();
    ASSERT_TRUE(transaction->open(keys, {}).ok());
    EXPECT_FALSE(writer_.store.begin().ok()) << "one at a time";
  }
  EXPECT_EQ(db_.reading(keys[0]).version, 0);
  EXPECT_EQ(sql().number("SELECT count(*) FROM stock.request"), 0);
  ASSERT_TRUE(eventually([&] { return writer_.store.begin().ok(); })) << "another session";
  EXPECT_TRUE(set(writer_, keys[0], 1, 1).ok());
}

TEST_F(PostgresLedgerStore, a_lock_waits_and_then_shows_what_it_waited_for) {
  sql("INSERT INTO stock.level (sku, location, on_hand) VALUES ('hot', 'main', 1)");
  const std::vector<Key> keys = {{"hot", "main"}};
  auto other = primary().connect();
  other.exec("BEGIN; UPDATE stock.level SET on_hand = 2 WHERE sku = 'hot'");
  const auto transaction = writer_.begin();
  auto opening = std::async(std::launch::async, [&] { return transaction->open(keys, {}); });
  ASSERT_TRUE(eventually(
      [] { return sql().number("SELECT count(*) FROM pg_locks WHERE NOT granted") > 0; }));
  other.exec("COMMIT");
  const auto opened = opening.get();
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(opened->levels.at(keys[0]).counts.on_hand, 2);
  EXPECT_EQ(opened->levels.at(keys[0]).version, 2);
}

TEST_F(PostgresLedgerStore, a_lock_that_is_not_to_be_had_is_given_up) {
  sql("INSERT INTO stock.level (sku, location, on_hand) VALUES ('held', 'main', 1)");
  auto other = primary().connect();
  other.exec("BEGIN; UPDATE stock.level SET on_hand = 2 WHERE sku = 'held'");
  const absl::Status status = set(writer_, {"held", "main"}, 3, 1);
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
}

TEST_F(PostgresLedgerStore, who_keeps_a_level_locked_is_known) {
  sql("INSERT INTO stock.level (sku, location, on_hand)"
      " VALUES ('free', 'main', 1), ('held', 'main', 1), ('asked', 'main', 1)");
  const std::vector<Key> keys = {
      {"asked", "main"}, {"free", "main"}, {"held", "main"}, {"none", "main"}};
  auto other = primary().connect();
  other.exec("BEGIN; UPDATE stock.level SET on_hand = 2 WHERE sku = 'held'");
  other.exec("SELECT FROM stock.level WHERE sku = 'asked' FOR UPDATE");
  const auto holder = static_cast<ledger::Holder>(other.number("SELECT pg_current_xact_id()::xid"));
  for (int i = 0; i < 2; ++i) {
    const auto holders = writer_.store.holders(keys);
    ASSERT_TRUE(holders.ok()) << holders.status();
    EXPECT_EQ(*holders, (ledger::Holders{{keys[0], holder}, {keys[2], holder}}));
  }
  other.exec("COMMIT");
  const auto holders = writer_.store.holders(keys);
  ASSERT_TRUE(holders.ok()) << holders.status();
  EXPECT_THAT(*holders, IsEmpty());
}

TEST_F(PostgresLedgerStore, a_connection_lost_before_the_commit_is_unavailable_and_remade) {
  const std::vector<Key> keys = {{"lost", "main"}};
  {
    const auto transaction = writer_.begin();
    ASSERT_TRUE(transaction->open(keys, {}).ok());
    sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'stock_writer'"
        " AND state = 'idle in transaction'");
    ASSERT_TRUE(eventually([] {
      return sql().number(
                 "SELECT count(*) FROM pg_stat_activity"
                 " WHERE state = 'idle in transaction'") == 0;
    }));
    const Request its = request(1);
    EXPECT_TRUE(absl::IsUnavailable(write_one_unit(*transaction, keys[0], its).status()));
    EXPECT_TRUE(absl::IsUnavailable(transaction->reservations({}).status()));
  }
  EXPECT_TRUE(set(writer_, keys[0], 1, 1).ok());
}

TEST_F(PostgresLedgerStore, counts_that_the_ledger_does_not_take_are_an_invalid_argument) {
  EXPECT_TRUE(absl::IsInvalidArgument(set(writer_, {"negative", "main"}, -1, 1)));
}

}  // namespace
}  // namespace stock::postgres
