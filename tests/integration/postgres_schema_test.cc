#include "integration/postgres_world.h"
#include "stock/postgres/schema.h"

namespace stock::postgres {
namespace {

class PostgresSchema : public PostgresTest {
 protected:
  SessionOptions checking(SessionOptions options) {
    options.accept = [this](Connection& connection) {
      return check_database(connection, world_.identity);
    };
    return options;
  }
  absl::Status check(SessionOptions options) {
    return Session(checking(std::move(options)), world_.local, world_.timers).connect();
  }
};

TEST_F(PostgresSchema, the_schema_of_the_migrations_is_the_expected_one) {
  EXPECT_TRUE(check(options()).ok()) << check(options());
  EXPECT_TRUE(check(session_options(primary().url("stock_reader"))).ok());
}

TEST_F(PostgresSchema, another_one_is_named_with_what_to_do) {
  sql("INSERT INTO public.gorp_migrations VALUES ('9999_future.sql', now())");
  absl::Status status = check(options());
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("9999_future.sql"), HasSubstr("0014_statements.sql"),
                    HasSubstr("as new as the schema")));
  sql("DELETE FROM public.gorp_migrations");
  status = check(options());
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("newest migration is none"), HasSubstr("sql-migrate")));
  sql("INSERT INTO public.gorp_migrations VALUES ('0014_statements.sql', now())");
}

TEST_F(PostgresSchema, a_database_without_migrations_is_told_apart) {
  sql("CREATE DATABASE bare");
  std::string url = primary().url();
  url.replace(url.rfind("/stock"), std::string::npos, "/bare");
  const absl::Status status = check(session_options(url));
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("deploy/local/migrate"));
}

// A trigger function that runs with its owner's rights would run this cast with them.
TEST_F(PostgresSchema, no_guard_lends_the_rights_of_the_ledgers_owner) {
  support::Sql reader = primary().connect("stock_reader");
  reader.exec(
      "CREATE TYPE pg_temp.mine AS ENUM ('x');"
      "CREATE FUNCTION pg_temp.text_of(pg_temp.mine) RETURNS text LANGUAGE plpgsql AS"
      " $$BEGIN RAISE EXCEPTION 'as %', current_user; END$$;"
      "CREATE CAST (pg_temp.mine AS text) WITH FUNCTION pg_temp.text_of(pg_temp.mine)"
      " AS IMPLICIT;"
      "CREATE TEMP TABLE bait (sku pg_temp.mine, location pg_temp.mine)");
  for (const std::string guard : {"check_locations", "check_movements", "record_direct_changes"}) {
    try {
      reader.exec(
          "CREATE TRIGGER lent AFTER INSERT ON bait REFERENCING NEW TABLE AS new_rows"
          " FOR EACH STATEMENT EXECUTE FUNCTION stock." +
          guard + "()");
      ADD_FAILURE() << guard;
    } catch (const support::SqlError& error) {
      EXPECT_EQ(error.state(), "42501") << error.what();
    }
  }
}

TEST_F(PostgresSchema, no_server_is_unavailable_and_not_hammered) {
  Session session(checking(session_options("postgresql://stock_writer@127.0.0.1:1/stock")),
                  world_.local, world_.timers);
  const absl::Status first = session.connect();
  EXPECT_TRUE(absl::IsUnavailable(first)) << first;
  EXPECT_THAT(std::string(first.message()), HasSubstr("refused"));
  EXPECT_EQ(session.connect(), first);
  EXPECT_EQ(session.connections(), 0u);
}

TEST_F(PostgresSchema, no_error_repeats_the_url) {
  const absl::Status status =
      check(session_options("postgresql://writer:s3cret@127.0.0.1:port/stock"));
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("s3cret")));
}

}  // namespace
}  // namespace stock::postgres
