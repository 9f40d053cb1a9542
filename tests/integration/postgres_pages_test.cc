#include "integration/postgres_world.h"
#include "stock/postgres/location_store.h"

namespace stock::postgres {
namespace {

std::vector<std::string> names(const layers::LevelPage& page) {
  std::vector<std::string> names;
  for (const Key& key : page.keys) names.push_back(key.location + "/" + key.sku);
  return names;
}

class PostgresPages : public PostgresTest {
 protected:
  static void SetUpTestSuite() {
    PostgresTest::SetUpTestSuite();
    sql("INSERT INTO stock.level (sku, location, on_hand) VALUES"
        " ('a', 'main', 1), ('ab', 'main', 2), ('b%', 'main', 3), ('B', 'main', 4),"
        " ('a', 'north', 5), ('ac', 'north', 6), ('żab', 'north', 7)");
  }

  Database db_ = database();
};

TEST_F(PostgresPages, levels_come_by_location_then_sku_in_order_of_bytes) {
  const auto page = db_.levels();
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_THAT(names(*page), ElementsAre("main/B", "main/a", "main/ab", "main/b%", "north/a",
                                        "north/ac", "north/żab"));
  EXPECT_EQ(page->readings[1].counts.on_hand, 1);
  EXPECT_EQ(page->readings[1].version, 1);
  EXPECT_TRUE(page->readings[1].exists);
  EXPECT_EQ(page->readings[1].true_through, page->true_through);
  EXPECT_FALSE(page->more);
}

TEST_F(PostgresPages, levels_are_paged_by_key) {
  std::vector<std::string> all;
  Key after;
  for (int pages = 0; pages < 10; ++pages) {
    const auto page = db_.levels("", "", after, 2);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const std::string& name : names(*page)) all.push_back(name);
    if (!page->more) break;
    ASSERT_THAT(page->keys, SizeIs(2));
    after = page->keys.back();
  }
  EXPECT_THAT(all, ElementsAre("main/B", "main/a", "main/ab", "main/b%", "north/a", "north/ac",
                               "north/żab"));
}

TEST_F(PostgresPages, levels_of_one_location_and_of_a_prefix) {
  EXPECT_THAT(names(*db_.levels("north")), ElementsAre("north/a", "north/ac", "north/żab"));
  EXPECT_THAT(names(*db_.levels("", "a")), ElementsAre("main/a", "main/ab", "north/a", "north/ac"));
  EXPECT_THAT(names(*db_.levels("main", "b%")), ElementsAre("main/b%"));
  EXPECT_THAT(names(*db_.levels("", "ż")), ElementsAre("north/żab"));
  EXPECT_THAT(names(*db_.levels("north", "", {"a", "north"})),
              ElementsAre("north/ac", "north/żab"));
  EXPECT_THAT(names(*db_.levels("main", "", {"zz", "north"})), IsEmpty());
}

std::vector<std::string> sorted_names(const layers::LevelPage& page) {
  std::vector<std::string> names;
  for (const Key& key : page.keys) names.push_back(key.sku + "/" + key.location);
  std::sort(names.begin(), names.end());
  return names;
}

TEST_F(PostgresPages, a_walk_comes_by_all_levels_in_order_of_sku_and_location) {
  EXPECT_THAT(sorted_names(*db_.walk({}, 3)), ElementsAre("B/main", "a/main", "a/north"));
  const auto page = db_.walk({"a", "main"}, 3);
  EXPECT_THAT(sorted_names(*page), ElementsAre("a/north", "ab/main", "ac/north"));
  EXPECT_TRUE(page->more);
  const auto last = db_.walk({"ac", "north"}, 3);
  EXPECT_THAT(sorted_names(*last), ElementsAre("b%/main", "żab/north"));
  EXPECT_FALSE(last->more);
  const auto none = db_.walk({"żab", "north"}, 3);
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_THAT(none->keys, IsEmpty());
  EXPECT_GT(none->true_through, domain::DatabaseTime());
}

TEST_F(PostgresPages, what_a_walk_says_of_a_level_is_what_is_said_of_its_key) {
  sql("UPDATE stock.level SET on_hand = 9, reserved = 1, earliest_expire_at = '2100-01-01Z'"
      " WHERE sku = 'ab'");
  const auto page = db_.walk({}, 100);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_THAT(page->keys, SizeIs(7));
  const Database::Answered answered = db_.read(page->keys);
  for (std::size_t i = 0; i < page->keys.size(); ++i) {
    const domain::Reading& of_key = answered.answers[i].reading;
    const domain::Reading& walked = page->readings[i];
    EXPECT_TRUE(walked.exists);
    EXPECT_EQ(walked.version, of_key.version);
    EXPECT_EQ(walked.counts, of_key.counts);
    EXPECT_EQ(walked.as_of, of_key.as_of);
    EXPECT_EQ(walked.earliest_expiry, of_key.earliest_expiry);
    EXPECT_EQ(walked.incarnation, of_key.incarnation);
    EXPECT_LE(walked.true_through, of_key.true_through);
    EXPECT_GE(walked.true_through, page->true_through);
    EXPECT_EQ(walked.counts.reserved > 0, walked.earliest_expiry > domain::DatabaseTime());
  }
  EXPECT_NE(page->shows, nullptr);
  sql("UPDATE stock.level SET on_hand = 2, reserved = 0, earliest_expire_at = NULL"
      " WHERE sku = 'ab'");
}

TEST_F(PostgresPages, an_empty_page_is_dated) {
  const auto page = db_.levels("nowhere");
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_THAT(page->keys, IsEmpty());
  EXPECT_GT(page->true_through, domain::DatabaseTime());
}

TEST_F(PostgresPages, what_is_no_text_is_an_invalid_argument) {
  EXPECT_TRUE(absl::IsInvalidArgument(db_.levels("", "\xff").status()));
}

TEST_F(PostgresPages, movements_come_newest_first_and_whole) {
  sql("INSERT INTO stock.level (sku, location, on_hand, safety_stock) VALUES ('m', 'main', 5, 1);"
      "UPDATE stock.level SET on_hand = 3 WHERE sku = 'm';"
      "DELETE FROM stock.level WHERE sku = 'm'");
  const auto page = db_.movements({"m", "main"}, 0, 2);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_THAT(page->movements, SizeIs(2));
  EXPECT_TRUE(page->more);
  const domain::Movement& tombstone = page->movements[0];
  EXPECT_EQ(tombstone.key, (Key{"m", "main"}));
  EXPECT_EQ(tombstone.version, 3);
  EXPECT_TRUE(tombstone.deleted);
  EXPECT_EQ(tombstone.delta, (domain::Counts{-3, 0, 0, -1, 0}));
  EXPECT_EQ(tombstone.kind, domain::MovementKind::kDirect);
  EXPECT_THAT(tombstone.actor, HasSubstr("postgres"));
  EXPECT_EQ(tombstone.reason, "direct DELETE");
  EXPECT_FALSE(tombstone.request);
  EXPECT_GT(tombstone.committed_at, domain::DatabaseTime());
  EXPECT_EQ(page->movements[1].after, (domain::Counts{3, 0, 0, 1, 0}));

  const auto rest = db_.movements({"m", "main"}, 2, 2);
  ASSERT_THAT(rest->movements, SizeIs(1));
  EXPECT_EQ(rest->movements[0].version, 1);
  EXPECT_FALSE(rest->more);
}

TEST_F(PostgresPages, locations_are_paged_and_found) {
  const auto page = db_.locations("", "", 1);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_THAT(page->locations, SizeIs(1));
  EXPECT_EQ(page->locations[0].id, "main");
  EXPECT_EQ(page->locations[0].display_name, "Main");
  EXPECT_GT(page->locations[0].created_at, domain::DatabaseTime());
  EXPECT_TRUE(page->more);
  EXPECT_EQ(db_.locations("", "main")->locations[0].id, "north");
  EXPECT_EQ(db_.locations("north")->locations[0].id, "north");
  EXPECT_THAT(db_.locations("nort")->locations, IsEmpty());
}

class PostgresLocations : public PostgresTest {
 protected:
  absl::StatusOr<domain::Location> create(const std::string& id, const std::string& name) {
    std::promise<absl::StatusOr<domain::Location>> promise;
    LocationStore(db_.pool, world_.timers)
        .create({.id = id, .display_name = name, .created_at = {}}, world_.in(support::kGenerous),
                [&](absl::StatusOr<domain::Location> location) {
                  promise.set_value(std::move(location));
                });
    return promise.get_future().get();
  }

  Database db_ = database();
};

TEST_F(PostgresLocations, creating_is_idempotent) {
  const auto created = create("shop", "The shop");
  ASSERT_TRUE(created.ok()) << created.status();
  const auto found = create("shop", "The shop");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(created->created_at, found->created_at);
  EXPECT_EQ(found->display_name, "The shop");
}

TEST_F(PostgresLocations, another_display_name_is_another_location) {
  ASSERT_TRUE(create("depot", "Depot").ok());
  const absl::Status status = create("depot", "Déposition").status();
  EXPECT_TRUE(absl::IsAlreadyExists(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("\"Depot\""));
}

TEST_F(PostgresLocations, a_name_that_the_ledger_does_not_take_is_an_invalid_argument) {
  EXPECT_TRUE(absl::IsInvalidArgument(create("", "Nowhere").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(create("bell\x07", "Bell").status()));
}

TEST_F(PostgresLocations, whoever_is_just_creating_it_is_waited_for) {
  auto other = primary().connect();
  other.exec("BEGIN; INSERT INTO stock.location VALUES ('race', 'Race')");
  auto mine = std::async(std::launch::async, [&] { return create("race", "Race"); });
  ASSERT_TRUE(eventually([] {
    return primary().connect().number("SELECT count(*) FROM pg_locks WHERE NOT granted") > 0;
  }));
  other.exec("COMMIT");
  const auto location = mine.get();
  EXPECT_TRUE(location.ok()) << location.status();
}

}  // namespace
}  // namespace stock::postgres
