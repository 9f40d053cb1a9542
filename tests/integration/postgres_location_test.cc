// No level without its location, whoever writes what beside whom.
#include <future>

#include "integration/postgres_world.h"

namespace stock::postgres {
namespace {

using support::Sql;
using support::SqlError;

// What the statement ends with: its SQLSTATE, or "ok".
std::string outcome(Sql& sql, const std::string& statement) {
  try {
    sql.exec(statement);
    return "ok";
  } catch (const SqlError& error) {
    return error.state();
  }
}

constexpr const char* kViolation = "23503";
constexpr const char* kSerialization = "40001";

class PostgresLocation : public PostgresTest {
 protected:
  void SetUp() override {
    sql("DELETE FROM stock.level; DELETE FROM stock.location WHERE id NOT IN ('main', 'north');"
        "INSERT INTO stock.location VALUES ('gone')");
  }
  void TearDown() override {
    EXPECT_EQ(sql().number("SELECT count(*) FROM stock.level WHERE location NOT IN"
                           " (SELECT id FROM stock.location)"),
              0);
  }

  // Runs on a thread of its own until something that `holder` has locked holds it up.
  static std::future<std::string> blocked(Sql& waiter, const std::string& statement) {
    const std::string pid = waiter.value("SELECT pg_backend_pid()");
    std::future<std::string> ended =
        std::async(std::launch::async, [&waiter, statement] { return outcome(waiter, statement); });
    EXPECT_TRUE(eventually([&] {
      return sql().number("SELECT cardinality(pg_blocking_pids(" + pid + "))") > 0;
    })) << statement;
    return ended;
  }

  Sql one_{primary().connect()};
  Sql other_{primary().connect()};
};

constexpr const char* kInsert = "INSERT INTO stock.level (sku, location) VALUES ('a', 'gone')";

TEST_F(PostgresLocation, a_level_needs_one_by_whatever_statement) {
  for (const char* statement :
       {"INSERT INTO stock.level (sku, location) VALUES ('a', 'main'), ('a', 'atlantis')",
        "INSERT INTO stock.level (sku, location) VALUES ('a', 'atlantis')"
        " ON CONFLICT (sku, location) DO UPDATE SET on_hand = 1",
        "INSERT INTO stock.level (sku, location) VALUES ('a', 'main');"
        "UPDATE stock.level SET location = 'atlantis'",
        "WITH gone AS (DELETE FROM stock.location WHERE id = 'gone')"
        " INSERT INTO stock.level (sku, location) VALUES ('a', 'gone')",
        "MERGE INTO stock.level USING (VALUES ('a', 'atlantis')) AS named (sku, location) ON false"
        " WHEN NOT MATCHED THEN INSERT (sku, location) VALUES (named.sku, named.location)"}) {
    EXPECT_EQ(outcome(one_, statement), kViolation) << statement;
  }
  EXPECT_EQ(outcome(one_,
                    "WITH new AS (INSERT INTO stock.location VALUES ('new'))"
                    " INSERT INTO stock.level (sku, location) VALUES ('a', 'new')"),
            "ok");
}

TEST_F(PostgresLocation, no_role_of_replication_gets_around_it) {
  one_.exec("SET session_replication_role = replica");
  EXPECT_EQ(outcome(one_, "INSERT INTO stock.level (sku, location) VALUES ('a', 'atlantis')"),
            kViolation);
}

TEST_F(PostgresLocation, one_that_levels_name_stays) {
  sql(kInsert);
  EXPECT_EQ(outcome(one_, "DELETE FROM stock.location WHERE id = 'gone'"), kViolation);
  EXPECT_EQ(outcome(one_, "UPDATE stock.location SET id = 'renamed' WHERE id = 'gone'"),
            kViolation);
  EXPECT_EQ(outcome(one_, "UPDATE stock.location SET display_name = 'Gone' WHERE id = 'gone'"),
            "ok");
  EXPECT_EQ(outcome(one_, "TRUNCATE stock.location"), "0A000");
}

// What takes a location away, at each isolation.
class PostgresLocationRace
    : public PostgresLocation,
      public ::testing::WithParamInterface<std::tuple<const char*, const char*>> {
 protected:
  // A snapshot that is kept has been taken.
  void begin(Sql& session) {
    session.exec("BEGIN ISOLATION LEVEL " + std::string(std::get<0>(GetParam())) +
                 "; SELECT pg_current_snapshot()");
  }
  static bool keeps_its_snapshot() {
    return std::string(std::get<0>(GetParam())) != "READ COMMITTED";
  }
  static std::string taking_it_away() { return std::get<1>(GetParam()); }
};

TEST_P(PostgresLocationRace, it_waits_for_a_level_that_is_being_made) {
  begin(one_);
  begin(other_);
  one_.exec(kInsert);
  auto taken = blocked(other_, taking_it_away());
  one_.exec("COMMIT");
  // Among the serializable, who was waited for may also be who cannot have come first.
  EXPECT_THAT(taken.get(), ::testing::AnyOf(kViolation, kSerialization));
  other_.exec("ROLLBACK");
}

TEST_P(PostgresLocationRace, it_happens_if_that_level_is_not_made_after_all) {
  begin(one_);
  begin(other_);
  one_.exec(kInsert);
  auto taken = blocked(other_, taking_it_away());
  one_.exec("ROLLBACK");
  EXPECT_EQ(taken.get(), "ok");
  EXPECT_EQ(outcome(other_, "COMMIT"), "ok");
}

TEST_P(PostgresLocationRace, a_level_waits_for_it) {
  begin(one_);
  begin(other_);
  other_.exec(taking_it_away());
  auto made = blocked(one_, kInsert);
  other_.exec("COMMIT");
  EXPECT_EQ(made.get(), keeps_its_snapshot() ? kSerialization : kViolation);
  one_.exec("ROLLBACK");
}

TEST_P(PostgresLocationRace, a_level_is_made_if_it_does_not_happen_after_all) {
  begin(one_);
  begin(other_);
  other_.exec(taking_it_away());
  auto made = blocked(one_, kInsert);
  other_.exec("ROLLBACK");
  EXPECT_EQ(made.get(), "ok");
  EXPECT_EQ(outcome(one_, "COMMIT"), "ok");
}

TEST_P(PostgresLocationRace, it_sees_a_level_that_its_snapshot_does_not_show) {
  begin(other_);
  one_.exec(kInsert);
  EXPECT_EQ(outcome(other_, taking_it_away()), kViolation);
  other_.exec("ROLLBACK");
}

TEST_P(PostgresLocationRace, a_level_sees_that_it_happened_after_its_snapshot) {
  begin(one_);
  other_.exec(taking_it_away());
  EXPECT_EQ(outcome(one_, kInsert), keeps_its_snapshot() ? kSerialization : kViolation);
  one_.exec("ROLLBACK");
}

TEST_P(PostgresLocationRace, a_level_that_a_savepoint_takes_back_does_not_hold_it_up) {
  begin(one_);
  one_.exec("SAVEPOINT s");
  one_.exec(kInsert);
  one_.exec("ROLLBACK TO s");
  EXPECT_EQ(outcome(other_, taking_it_away()), "ok");
  EXPECT_EQ(outcome(one_, kInsert), keeps_its_snapshot() ? kSerialization : kViolation);
  one_.exec("ROLLBACK");
}

INSTANTIATE_TEST_SUITE_P(
    Each, PostgresLocationRace,
    ::testing::Combine(::testing::Values("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"),
                       ::testing::Values("DELETE FROM stock.location WHERE id = 'gone'",
                                         "UPDATE stock.location SET id = 'renamed'"
                                         " WHERE id = 'gone'")));

}  // namespace
}  // namespace stock::postgres
