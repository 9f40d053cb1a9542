#include <gtest/gtest.h>

#include "stock/domain/snapshot.h"

namespace stock::domain {
namespace {

TEST(Snapshot, is_read_and_written_as_the_database_does) {
  for (const char* text : {"10:20:10,14,15", "7:7:", "3:18446744073709551615:"}) {
    const auto snapshot = Snapshot::parse(text);
    ASSERT_TRUE(snapshot) << text;
    EXPECT_EQ(snapshot->text(), text);
  }
}

TEST(Snapshot, shows_what_had_ended) {
  const Snapshot snapshot = *Snapshot::parse("10:20:10,14");
  EXPECT_TRUE(snapshot.shows(9));
  EXPECT_FALSE(snapshot.shows(10));
  EXPECT_TRUE(snapshot.shows(11));
  EXPECT_FALSE(snapshot.shows(14));
  EXPECT_TRUE(snapshot.shows(19));
  EXPECT_FALSE(snapshot.shows(20));
}

TEST(Snapshot, one_that_is_none_is_refused) {
  for (const char* text : {"", "1", "1:2", "2:1:", "1:5:5", "2:5:1", "1:9:3,3", "1:9:4,3", "1:9:3,",
                           "1:9:,3", "x:9:", "1:9:3 ", "1:9:3;4", "-1:9:"}) {
    EXPECT_FALSE(Snapshot::parse(text)) << text;
  }
}

TEST(Snapshot, of_nothing_shows_nothing) { EXPECT_FALSE(Snapshot().shows(3)); }

}  // namespace
}  // namespace stock::domain
