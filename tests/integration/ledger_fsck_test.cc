// What stockctl fsck says of a ledger that was damaged behind its triggers' backs, and what it
// mends.
#include <nlohmann/json.hpp>
#include <set>

#include "integration/postgres_world.h"
#include "support/stockctl.h"

namespace stock::postgres {
namespace {

using support::stockctl;

class LedgerFsck : public PostgresTest {
 protected:
  static void SetUpTestSuite() {
    PostgresTest::SetUpTestSuite();
    damage_ledger();
  }

  // Each test begins with a sound ledger: two levels with histories, a hold, a sale and a request.
  void SetUp() override {
    damage(
        "TRUNCATE stock.level, stock.movement, stock.request, stock.reservation, stock.commit;"
        "INSERT INTO stock.location VALUES ('north') ON CONFLICT DO NOTHING");
    sql(R"(
INSERT INTO stock.level (sku, location, on_hand) VALUES ('lamp', 'main', 5), ('lamp', 'north', 7);
UPDATE stock.level SET on_hand = on_hand + 1;
UPDATE stock.level SET reserved = 2, committed = 3, earliest_expire_at = now() + interval '1 hour'
  WHERE location = 'main';
INSERT INTO stock.request (id, digest, skus, locations, versions)
  VALUES ('00000000-0000-0000-0000-000000000001', '', '{lamp}', '{north}', '{2}');
INSERT INTO stock.reservation (id, state, revision, expire_at, digest, skus, locations, quantities, fulfilled, expired)
  VALUES ('00000000-0000-0000-0000-000000000002', 'HELD', 1, now() + interval '2 hours', '',
          '{lamp,lamp}', '{main,north}', '{2,4}', '{0,0}', '{false,true}'),
         ('00000000-0000-0000-0000-000000000003', 'COMMITTED', 2, now(), '', '{lamp}', '{main}', '{4}', '{1}', '{false}');
)");
    damage(
        "UPDATE stock.movement SET request = '00000000-0000-0000-0000-000000000001'"
        " WHERE location = 'north' AND version = 2");
  }

  // As nobody can who does not own the tables.
  static void damage(const std::string& statements) {
    set_triggers("DISABLE TRIGGER");
    sql(statements);
    set_triggers("ENABLE ALWAYS TRIGGER");
  }
  static void set_triggers(const std::string& how) {
    for (const auto& row :
         sql().query("SELECT format('ALTER TABLE %s %s %I', tgrelid::regclass, " + literal(how) +
                     ", tgname) FROM pg_trigger WHERE NOT tgisinternal AND tgrelid::regclass::text "
                     "LIKE 'stock.%'")) {
      sql(row[0]);
    }
  }

  static std::string url(const std::string& role = "postgres") { return primary().url(role); }
  static int fsck(std::vector<std::string> flags = {}) {
    std::vector<std::string> words = {"fsck", "--database-url", url()};
    words.insert(words.end(), flags.begin(), flags.end());
    return stockctl(words, said_);
  }
  // The names of the checks that found something, and what they said.
  static std::set<std::string> findings() {
    EXPECT_EQ(fsck({"--json"}), 1) << said_;
    std::set<std::string> names;
    const nlohmann::json report = nlohmann::json::parse(said_);
    for (const auto& check : report["checks"]) {
      if (check["findings"] > 0) names.insert(check["name"]);
    }
    return names;
  }

  static inline std::string said_;
};

TEST_F(LedgerFsck, a_sound_ledger_is_said_to_be_so_and_how_much_it_is) {
  EXPECT_EQ(fsck(), 0) << said_;
  EXPECT_THAT(said_, AllOf(HasSubstr("2 levels, 5 movements, 2 reservations and 1 requests"),
                           HasSubstr("the ledger is sound")));
  EXPECT_EQ(stockctl({"fsck", "--database-url", url("stock_reader")}, said_), 0) << said_;
}

struct Damage {
  const char* done;
  const char* found;  // by this check
  const char* said;
};

class LedgerFsckFinds : public LedgerFsck, public ::testing::WithParamInterface<Damage> {};

TEST_P(LedgerFsckFinds, the_damage) {
  damage(GetParam().done);
  EXPECT_THAT(findings(), ::testing::Contains(GetParam().found)) << said_;
  EXPECT_EQ(fsck(), 1);
  EXPECT_THAT(said_, HasSubstr(GetParam().said));
}

INSTANTIATE_TEST_SUITE_P(
    Every, LedgerFsckFinds,
    ::testing::Values(
        Damage{"UPDATE stock.level SET on_hand = 9 WHERE location = 'north'",
               "level_is_newest_movement",
               "lamp @ north is (9,0,0,0,0), but movement 2 left (8,0,0,0,0)"},
        Damage{"UPDATE stock.level SET version = 9 WHERE location = 'north'",
               "level_is_newest_movement",
               "lamp @ north is at version 9, but its newest movement is 2"},
        Damage{"DELETE FROM stock.level WHERE location = 'north'", "level_is_newest_movement",
               "lamp @ north has no level, but movement 2 left one"},
        Damage{"UPDATE stock.movement SET deleted = true WHERE location = 'north' AND version = 2",
               "level_is_newest_movement", "movement 2 removed it"},
        Damage{"ALTER TABLE stock.location DISABLE TRIGGER ALL;"
               "UPDATE stock.location SET id = 'south' WHERE id = 'north';"
               "ALTER TABLE stock.location ENABLE TRIGGER ALL",
               "levels_have_locations", "location north is not there, and named by 1 levels"},
        Damage{"DELETE FROM stock.movement WHERE location = 'north'", "level_is_newest_movement",
               "has a level of version 2 and no movement"},
        Damage{"DELETE FROM stock.movement WHERE location = 'main' AND version = 2",
               "versions_are_contiguous", "lamp @ main has movement 1 and then 3"},
        Damage{"DELETE FROM stock.movement WHERE location = 'main' AND version = 1",
               "versions_are_contiguous",
               "begins with movement 2, which is not behind the horizon"},
        Damage{
            "UPDATE stock.movement SET on_hand_delta = 5 WHERE location = 'main' AND version = 2",
            "counts_follow",
            "movement 2 left (6,0,0,0,0), where the one before and its changes make (10,0,0,0,0)"},
        Damage{"UPDATE stock.reservation SET quantities = '{9,4}' WHERE state = 'HELD'",
               "reservations_explain_counts",
               "has 2 reserved and 3 committed, where its reservations hold 9 and have sold 3"},
        Damage{"UPDATE stock.reservation SET state = 'RELEASED' WHERE state = 'COMMITTED'",
               "reservations_explain_counts", "hold 2 and have sold 0"},
        Damage{
            "UPDATE stock.reservation SET locations = '{main,nowhere}', expired = '{false,false}'"
            " WHERE state = 'HELD'",
            "reservations_explain_counts",
            "lamp @ nowhere has no level, but its reservations hold 4"},
        Damage{"UPDATE stock.level SET earliest_expire_at = now() + interval '1 day' WHERE "
               "location = 'main'",
               "ends_of_holds_are_known",
               "but reservation 00000000-0000-0000-0000-000000000002 ends at"},
        Damage{"UPDATE stock.level SET earliest_expire_at = NULL WHERE location = 'main'",
               "ends_of_holds_are_known", "expects the end of a hold never"},
        Damage{"UPDATE stock.level SET earliest_expire_at = NULL WHERE location = 'main'",
               "ends_of_holds_are_recorded", "expects the end of a hold never, but movement 3 at"},
        Damage{"UPDATE stock.movement SET earliest_expire_at = now() WHERE location = 'main' AND "
               "version = 3",
               "ends_of_holds_are_recorded", "lamp @ main expects the end of a hold at"},
        Damage{"UPDATE stock.reservation SET fulfilled = '{5}' WHERE state = 'COMMITTED'",
               "reservations_are_sound", "of which more is fulfilled than there is"},
        Damage{"UPDATE stock.reservation SET state = 'FULFILLED' WHERE state = 'COMMITTED'",
               "reservations_are_sound", "is FULFILLED, but not all its lines are"},
        Damage{"UPDATE stock.reservation SET state = 'EXPIRED' WHERE state = 'HELD'",
               "reservations_are_sound", "is EXPIRED, but not all its lines are"},
        Damage{"UPDATE stock.reservation SET expired = '{true}' WHERE state = 'COMMITTED'",
               "reservations_are_sound", "is COMMITTED, but a line has expired"},
        Damage{"UPDATE stock.reservation SET fulfilled = '{4}' WHERE state = 'COMMITTED'",
               "reservations_are_sound", "is COMMITTED, but all its lines are fulfilled"},
        Damage{"UPDATE stock.reservation SET fulfilled = '{1,0}' WHERE state = 'HELD'",
               "reservations_are_sound", "is HELD, but a line is fulfilled"},
        Damage{"UPDATE stock.reservation SET locations = '{north,main}' WHERE state = 'HELD'",
               "reservations_are_sound", "not in order of key"},
        Damage{"UPDATE stock.movement SET reservation = '00000000-0000-0000-0000-000000000009', "
               "kind = 'RESERVE'"
               " WHERE location = 'main' AND version = 3",
               "movements_name_reservations",
               "names reservation 00000000-0000-0000-0000-000000000009, which is not"},
        Damage{"UPDATE stock.movement SET kind = 'FULFILL' WHERE location = 'main' AND version = 3",
               "movements_name_reservations", "movement 3 (FULFILL) names no reservation"},
        Damage{"UPDATE stock.request SET versions = '{7}'", "requests_have_movements",
               "made movement 7 of lamp @ north, which is not there"},
        Damage{"UPDATE stock.request SET versions = '{1}'", "requests_have_movements",
               "claims movement 1 of lamp @ north, which no request made"},
        Damage{"INSERT INTO stock.commit VALUES ('7', now(), now() - interval '1 s')",
               "commits_are_seen_later", "transaction 7 was committed at"},
        Damage{"UPDATE stock.movement SET xid = '9000000000' WHERE location = 'main'",
               "transactions_are_ours",
               "transaction 9000000000 wrote 3 rows of stock.movement, but has not been here"}));

TEST_F(LedgerFsck, a_guard_that_is_off_or_may_be_switched_off_is_named) {
  sql("ALTER TABLE stock.movement DISABLE TRIGGER check_movements");
  sql("ALTER TABLE stock.level ENABLE TRIGGER refuse_truncate");
  EXPECT_THAT(findings(), ElementsAre("guards_are_on"));
  EXPECT_THAT(said_, AllOf(HasSubstr("trigger check_movements on stock.movement"),
                           HasSubstr("trigger refuse_truncate on stock.level")));
  set_triggers("ENABLE ALWAYS TRIGGER");
}

TEST_F(LedgerFsck, a_foreign_key_that_does_not_keep_locations_is_named) {
  sql("ALTER TABLE stock.location DISABLE TRIGGER ALL");
  EXPECT_THAT(findings(), ElementsAre("guards_are_on"));
  EXPECT_THAT(said_, AllOf(HasSubstr("foreign key level_location_fkey"),
                           HasSubstr("does not fire RI_FKey_noaction_del")));
  sql("ALTER TABLE stock.location ENABLE TRIGGER ALL");
}

TEST_F(LedgerFsck, a_foreign_key_that_fires_for_replication_alone_is_named) {
  sql("DO $$ BEGIN EXECUTE (SELECT format('ALTER TABLE stock.location ENABLE REPLICA TRIGGER %I',"
      " tgname) FROM pg_trigger WHERE tgrelid = 'stock.location'::regclass"
      " AND tgfoid = '\"RI_FKey_noaction_del\"'::regproc); END $$");
  EXPECT_THAT(findings(), ElementsAre("guards_are_on"));
  sql("ALTER TABLE stock.location DISABLE TRIGGER ALL");
  sql("ALTER TABLE stock.location ENABLE TRIGGER ALL");
  EXPECT_EQ(fsck(), 0) << said_;
}

TEST_F(LedgerFsck, rights_of_the_owner_that_are_lent_to_everybody_are_named) {
  sql("GRANT EXECUTE ON FUNCTION stock.check_movements() TO PUBLIC");
  EXPECT_THAT(findings(), ElementsAre("rights_are_not_lent"));
  EXPECT_THAT(said_, HasSubstr("function stock.check_movements"));
  sql("REVOKE EXECUTE ON FUNCTION stock.check_movements() FROM PUBLIC");
}

TEST_F(LedgerFsck, available_is_not_to_be_stored) {
  sql("ALTER TABLE stock.level ADD COLUMN available bigint");
  EXPECT_THAT(findings(), ElementsAre("available_is_computed"));
  sql("ALTER TABLE stock.level DROP COLUMN available");
}

TEST_F(LedgerFsck, of_many_findings_twenty_are_told_and_all_are_counted) {
  sql("INSERT INTO stock.level (sku, location, reserved) SELECT 'many-' || i, 'main', 1 FROM"
      " generate_series(1, 25) AS i");
  EXPECT_EQ(fsck(), 1);
  EXPECT_THAT(said_, AllOf(HasSubstr("and 5 more"), HasSubstr("25 contradictions, 25 of which")));
}

TEST_F(LedgerFsck, counts_are_repaired_by_movements_with_a_name) {
  sql("UPDATE stock.level SET reserved = 9, committed = 1 WHERE location = 'main'");
  damage("UPDATE stock.level SET earliest_expire_at = NULL WHERE location = 'main'");
  EXPECT_EQ(fsck({"--repair"}), 2);
  EXPECT_THAT(said_, HasSubstr("--yes"));
  EXPECT_EQ(fsck({"--repair", "--yes"}), 0) << said_;
  EXPECT_THAT(said_, HasSubstr("1 levels repaired"));
  const auto movement = sql().query(
      "SELECT version, kind, actor, reserved, committed, level.earliest_expire_at > now() AND "
      "level.earliest_expire_at = movement.earliest_expire_at FROM stock.movement"
      " JOIN stock.level USING (sku, location, version, reserved, committed) WHERE location = "
      "'main'");
  ASSERT_THAT(movement, SizeIs(1));
  EXPECT_THAT(movement[0],
              ElementsAre("5", "DIRECT", "postgres (stockctl fsck --repair)", "2", "3", "t"));
}

TEST_F(LedgerFsck, what_only_rewritten_history_could_mend_is_left) {
  damage("UPDATE stock.movement SET on_hand_delta = 5 WHERE location = 'main' AND version = 2");
  sql("UPDATE stock.level SET reserved = 9 WHERE location = 'main'");
  EXPECT_EQ(fsck({"--repair", "--yes"}), 1);
  EXPECT_THAT(said_, AllOf(HasSubstr("1 levels repaired"), HasSubstr("counts_follow"),
                           HasSubstr("1 contradictions, 0 of which")));
}

TEST_F(LedgerFsck, who_may_not_write_cannot_repair) {
  sql("UPDATE stock.level SET reserved = 9 WHERE location = 'main'");
  EXPECT_EQ(stockctl({"fsck", "--repair", "--yes", "--database-url", url("stock_reader")}, said_),
            2);
  EXPECT_THAT(said_, HasSubstr("superuser"));
}

TEST_F(LedgerFsck, what_cannot_be_checked_is_no_finding) {
  EXPECT_EQ(stockctl({"fsck", "--database-url", "postgresql://x@127.0.0.1:1/y"}, said_), 2);
  EXPECT_THAT(said_, HasSubstr("no database can be reached"));
  std::string bare = url();
  bare.replace(bare.rfind("/stock"), std::string::npos, "/postgres");
  EXPECT_EQ(stockctl({"fsck", "--database-url", bare}, said_), 2);
  EXPECT_THAT(said_, HasSubstr("no ledger"));
}

}  // namespace
}  // namespace stock::postgres
