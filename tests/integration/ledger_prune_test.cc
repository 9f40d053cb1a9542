// What stockctl prune removes, what it leaves, and what the ledger lets nobody remove.
#include "integration/postgres_world.h"
#include "stock/postgres/ledger_history.h"
#include "stockctl/ledger/pruning.h"
#include "support/stockctl.h"

namespace stock::postgres {
namespace {

using std::chrono::microseconds;
using support::stockctl;

class LedgerPrune : public PostgresTest {
 protected:
  void SetUp() override { set_horizon("NULL"); }
  // Behind it lies whatever the test has pruned.
  void TearDown() override { set_horizon("clock_timestamp()"); }

  // Where it could not be yet: it is an hour behind at least.
  static void set_horizon(const std::string& expression) {
    sql("ALTER TABLE stock.horizon DISABLE TRIGGER check_horizon;"
        "UPDATE stock.horizon SET at = " +
        expression +
        ";"
        "ALTER TABLE stock.horizon ENABLE ALWAYS TRIGGER check_horizon");
  }
  // Behind the horizon as it is.
  static int prune(std::vector<std::string> flags = {}) {
    std::vector<std::string> words = {"prune", "--older-than", "1h", "--database-url",
                                      primary().url("postgres")};
    words.insert(words.end(), flags.begin(), flags.end());
    return stockctl(words, said_);
  }
  static void set(const std::string& sku, int on_hand) {
    sql("INSERT INTO stock.level (sku, location, on_hand) VALUES ('" + sku + "', 'main', " +
        std::to_string(on_hand) +
        ") ON CONFLICT (sku, location) DO UPDATE SET on_hand = excluded.on_hand");
  }
  static std::string commit_of(const std::string& sku, int version) {
    return "(SELECT pg_xact_commit_timestamp(xmin) FROM stock.movement WHERE sku = '" + sku +
           "' AND version = " + std::to_string(version) + ")";
  }
  static domain::DatabaseTime instant(const std::string& expression) {
    return domain::DatabaseTime(microseconds(
        sql().number("SELECT (extract(epoch FROM " + expression + ") * 1000000)::bigint")));
  }
  static std::string versions(const std::string& sku) {
    return sql().value(
        "SELECT string_agg(version::text, ' ' ORDER BY version) FROM stock.movement"
        " WHERE sku = '" +
        sku + "'");
  }
  layers::PastPage at(const std::string& sku, domain::DatabaseTime time) {
    auto page = db_.page<layers::PastPage>(
        layers::PastQuery{.keys = {{sku, "main"}}, .at = time, .version = 0});
    EXPECT_TRUE(page.ok()) << page.status();
    return page.ok() ? *std::move(page) : layers::PastPage{};
  }
  layers::PastPage version(const std::string& sku, domain::Version version) {
    auto page = db_.page<layers::PastPage>(
        layers::PastQuery{.keys = {{sku, "main"}}, .at = {}, .version = version});
    EXPECT_TRUE(page.ok()) << page.status();
    return page.ok() ? *std::move(page) : layers::PastPage{};
  }
  // By the ledger's rules, not for lack of rights.
  static std::string refusal(support::Sql& connection, const std::string& statement) {
    try {
      connection.exec(statement);
    } catch (const support::SqlError& error) {
      return error.state();
    }
    return "done";
  }

  Database db_ = database();
  static inline std::string said_;
};

TEST_F(LedgerPrune, what_was_true_at_the_horizon_and_after_it_stays_known) {
  for (int i = 1; i <= 12; ++i) set("walk", i);
  set("still", 1);
  set("gone", 1);
  sql("DELETE FROM stock.level WHERE sku = 'gone'");
  std::vector<domain::DatabaseTime> commits(1);
  for (int i = 1; i <= 12; ++i) commits.push_back(instant(commit_of("walk", i)));
  const auto just_before_the_eighth = commits[8] - microseconds(1);
  // Between the seventh and the eighth.
  set_horizon(commit_of("walk", 8) + " - interval '1 microsecond'");
  ASSERT_EQ(prune(), 0) << said_;
  EXPECT_EQ(versions("walk"), "7 8 9 10 11 12");
  EXPECT_EQ(versions("still"), "1");
  EXPECT_EQ(at("walk", just_before_the_eighth).levels[0].reading.version, 7);
  EXPECT_EQ(at("walk", just_before_the_eighth).levels[0].reading.as_of, commits[7]);
  for (int i = 8; i <= 12; ++i) {
    const layers::PastPage page = at("walk", commits[i]);
    EXPECT_EQ(page.levels[0].reading.version, i);
    EXPECT_EQ(page.levels[0].reading.counts.on_hand, i);
    EXPECT_EQ(page.horizon, just_before_the_eighth);
  }
  EXPECT_FALSE(at("still", just_before_the_eighth).levels[0].reading.exists);
  EXPECT_TRUE(version("walk", 6).levels[0].pruned);
  EXPECT_TRUE(version("walk", 7).levels[0].found);
  EXPECT_FALSE(version("walk", 13).levels[0].found || version("walk", 13).levels[0].pruned);
  EXPECT_THAT(db_.movements({"walk", "main"})->movements, SizeIs(6));

  set_horizon("clock_timestamp()");
  ASSERT_EQ(prune(), 0) << said_;
  EXPECT_EQ(versions("walk"), "12");
  EXPECT_EQ(versions("still"), "1");
  EXPECT_EQ(versions("gone"), "2");
  EXPECT_EQ(db_.reading({"walk", "main"}).counts.on_hand, 12);
  set("gone", 3);
  EXPECT_EQ(versions("gone"), "2 3");
}

TEST_F(LedgerPrune, a_dry_run_counts_and_leaves_everything) {
  for (int i = 1; i <= 5; ++i) set("dry", i);
  set_horizon("clock_timestamp()");
  const auto counted = [] {
    const std::size_t line = said_.find('\n') + 1;
    return said_.substr(line, said_.find("reservations") - line);
  };
  ASSERT_EQ(prune({"--dry-run"}), 0) << said_;
  EXPECT_THAT(said_, HasSubstr("would be removed"));
  const std::string foreseen = counted();
  EXPECT_EQ(versions("dry"), "1 2 3 4 5");
  ASSERT_EQ(prune(), 0) << said_;
  EXPECT_EQ(counted(), foreseen);
  EXPECT_EQ(versions("dry"), "5");
}

TEST_F(LedgerPrune, what_is_less_than_an_hour_old_is_refused) {
  EXPECT_EQ(stockctl({"prune", "--older-than", "59m", "--database-url", primary().url("postgres")},
                     said_),
            2);
  EXPECT_THAT(said_, HasSubstr("1h at least"));
  for (int i = 1; i <= 3; ++i) set("young", i);
  ASSERT_EQ(prune(), 0) << said_;
  EXPECT_THAT(said_, HasSubstr("0 movements"));
  EXPECT_EQ(versions("young"), "1 2 3");
  EXPECT_EQ(stockctl({"prune", "--older-than", "90d", "--database-url", primary().url()}, said_),
            1);
  EXPECT_THAT(said_, HasSubstr("superuser"));
}

TEST_F(LedgerPrune, in_small_steps_it_is_sound_after_each_and_goes_on_where_it_was) {
  for (int i = 1; i <= 30; ++i) {
    set("steps", i);
    if (i % 3 == 0) set("more,\"steps\"", i);
  }
  set_horizon("clock_timestamp()");
  const auto pruning = stockctl::LedgerPruning::connect(primary().url("postgres"));
  ASSERT_TRUE(pruning.ok()) << pruning.status();
  const stockctl::LedgerPruning::Options options{.older_than = std::chrono::hours(1), .rows = 4};
  int interruptions = 0;
  std::int64_t removed = 0;
  while (interruptions < 100) {
    int steps = 0;
    const auto tally = (*pruning)->prune(options, [&](const auto&) { return ++steps < 6; });
    ASSERT_TRUE(tally.ok()) << tally.status();
    removed += tally->movements;
    support::expect_sound_ledger(primary());
    if (tally->complete) break;
    ++interruptions;
  }
  EXPECT_GE(interruptions, 2);
  EXPECT_LT(interruptions, 100);
  EXPECT_GE(removed, 29 + 9);
  EXPECT_EQ(versions("steps"), "30");
}

TEST_F(LedgerPrune, the_ledger_refuses_to_lose_what_is_needed) {
  for (int i = 1; i <= 6; ++i) set("kept", i);
  const std::string of_key = "DELETE FROM stock.movement WHERE sku = 'kept' AND version ";
  EXPECT_EQ(refusal(sql(), of_key + "= 1"), "23000") << "there is no horizon";
  set_horizon(commit_of("kept", 4));
  EXPECT_EQ(refusal(sql(), of_key + "= 2"), "23000") << "not the first";
  EXPECT_EQ(refusal(sql(), of_key + "<= 4"), "23000") << "the newest that is behind the horizon";
  EXPECT_EQ(refusal(sql(), of_key + "> 0"), "23000") << "all of them";
  EXPECT_EQ(refusal(sql(), "UPDATE stock.movement SET on_hand = 1"), "23000");
  EXPECT_EQ(refusal(sql(), "SET session_replication_role = replica; " + of_key + "= 2"), "23000");
  sql("SET session_replication_role = origin");
  EXPECT_EQ(refusal(sql(), "UPDATE stock.horizon SET at = at - interval '1 s'"), "23000");
  EXPECT_EQ(refusal(sql(), "UPDATE stock.horizon SET at = clock_timestamp()"), "23000");
  EXPECT_EQ(refusal(sql(), "UPDATE stock.horizon SET at = NULL"), "23000");
  EXPECT_EQ(refusal(sql(), "DELETE FROM stock.horizon"), "23000");
  EXPECT_EQ(refusal(sql(), "INSERT INTO stock.horizon DEFAULT VALUES"), "23000");
  EXPECT_EQ(versions("kept"), "1 2 3 4 5 6");
}

TEST_F(LedgerPrune, the_service_cannot_prune_whatever_it_was_granted) {
  for (int i = 1; i <= 3; ++i) set("service", i);
  set_horizon("clock_timestamp()");
  const std::string prune_it = "DELETE FROM stock.movement WHERE sku = 'service' AND version = 1";
  support::Sql writer = primary().connect("stock_writer");
  for (const std::string& statement :
       {prune_it, std::string("UPDATE stock.horizon SET at = now()"),
        std::string("DELETE FROM stock.request"), std::string("DELETE FROM stock.reservation")}) {
    EXPECT_EQ(refusal(writer, statement), "42501") << statement;
  }
  sql("GRANT ALL ON ALL TABLES IN SCHEMA stock TO stock_writer");
  EXPECT_EQ(refusal(writer, prune_it), "23000");
  EXPECT_EQ(refusal(writer, "UPDATE stock.horizon SET movement_xid = '9'"), "23000");
  EXPECT_EQ(versions("service"), "1 2 3");
  sql("REVOKE DELETE, UPDATE, TRUNCATE ON stock.movement, stock.horizon FROM stock_writer;"
      "REVOKE DELETE ON stock.request, stock.reservation FROM stock_writer");
  support::Sql owner = primary().connect();
  owner.exec("SET ROLE stock_owner");
  EXPECT_EQ(refusal(owner, prune_it), "done");
}

TEST_F(LedgerPrune, requests_and_closed_reservations_go_and_open_ones_stay) {
  sql(R"(
INSERT INTO stock.request (id, at, digest, skus, locations, versions) VALUES
  ('00000000-0000-0000-0000-0000000000a1', now() - interval '3 hours', '', '{}', '{}', '{}'),
  ('00000000-0000-0000-0000-0000000000a2', now() - interval '1 hour', '', '{}', '{}', '{}');
INSERT INTO stock.level (sku, location, committed) VALUES ('sold', 'main', 1);
INSERT INTO stock.reservation (id, state, revision, updated_at, expire_at, digest,
                               skus, locations, quantities, fulfilled, expired) VALUES
  ('00000000-0000-0000-0000-0000000000b1', 'RELEASED', 2, now() - interval '3 hours', now(), '',
   '{x}', '{main}', '{1}', '{0}', '{false}'),
  ('00000000-0000-0000-0000-0000000000b2', 'COMMITTED', 2, now() - interval '3 hours', now(), '',
   '{sold}', '{main}', '{1}', '{0}', '{false}'),
  ('00000000-0000-0000-0000-0000000000b3', 'RELEASED', 2, now() - interval '1 hour', now(), '',
   '{x}', '{main}', '{1}', '{0}', '{false}'))");
  ASSERT_EQ(
      stockctl({"prune", "--older-than", "2h", "--database-url", primary().url("postgres")}, said_),
      0)
      << said_;
  EXPECT_THAT(said_, HasSubstr("0 movements, 1 requests and 1 reservations removed"));
  EXPECT_EQ(
      sql().value("SELECT string_agg(right(id::text, 2), ' ' ORDER BY id) FROM"
                  " (SELECT id FROM stock.request UNION SELECT id FROM stock.reservation) AS kept"),
      "a2 b2 b3");
  EXPECT_EQ(
      sql().number("SELECT count(*) FROM stock.horizon JOIN stock.request ON request_xid = xid"),
      1);
  for (const char* statement : {"DELETE FROM stock.request", "DELETE FROM stock.reservation",
                                "DELETE FROM stock.reservation WHERE state = 'COMMITTED'"}) {
    EXPECT_EQ(refusal(sql(), statement), "23000") << statement;
  }
}

TEST_F(LedgerPrune, what_told_of_the_commits_of_pruned_transactions_goes_with_them) {
  for (int i = 1; i <= 3; ++i) set("recorded", i);
  sql("INSERT INTO stock.commit SELECT xid, pg_xact_commit_timestamp(xid::xid), clock_timestamp()"
      " FROM stock.movement WHERE sku = 'recorded'");
  set_horizon("clock_timestamp()");
  ASSERT_EQ(prune(), 0) << said_;
  EXPECT_EQ(sql().value("SELECT string_agg(version::text, ' ') FROM stock.commit"
                        " LEFT JOIN stock.movement USING (xid)"),
            "3");
  EXPECT_EQ(sql().value("SELECT movement_xid < min(xid) FROM stock.horizon, stock.movement"
                        " WHERE sku = 'recorded' GROUP BY movement_xid"),
            "t");
}

TEST_F(LedgerPrune, the_auditor_learns_where_history_begins) {
  for (int i = 1; i <= 4; ++i) set("audited", i);
  set_horizon(commit_of("audited", 3));
  ASSERT_EQ(prune(), 0) << said_;
  Session session(options(), world_.local, world_.timers);
  LedgerHistory history(session, world_.knowledge);
  const std::vector<drift::HistoryQuestion> questions = {
      {.key = {"audited", "main"}, .versions = {1, 3}},
      {.key = {"never", "main"}, .versions = {1}}};
  const auto histories = history.histories(questions);
  ASSERT_TRUE(histories.ok()) << histories.status();
  EXPECT_EQ((*histories)[0].oldest, 3);
  EXPECT_EQ((*histories)[0].newest, 4);
  EXPECT_THAT((*histories)[0].versions, Not(::testing::Contains(::testing::Key(1))));
  EXPECT_EQ((*histories)[1].oldest, 1);
}

}  // namespace
}  // namespace stock::postgres
