#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include "stock/drift/incident_board.h"

namespace stock::drift {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

Incident incident(std::int64_t id, std::int64_t revision, bool open = true) {
  Incident incident;
  incident.id = id;
  incident.revision = revision;
  if (!open) incident.closed_at = domain::DatabaseTime(std::chrono::seconds(1));
  return incident;
}

std::vector<std::int64_t> revisions(const IncidentBoard::Incidents& incidents) {
  std::vector<std::int64_t> revisions;
  for (const auto& each : incidents) revisions.push_back(each->revision);
  return revisions;
}

TEST(IncidentBoard, before_it_has_begun_it_knows_nothing) {
  const IncidentBoard board;
  EXPECT_FALSE(board.edition().has_value());
  EXPECT_FALSE(board.news({}).has_value());
}

TEST(IncidentBoard, who_begins_is_given_all_that_is_open_and_then_what_changes) {
  IncidentBoard board;
  board.begin({incident(1, 4), incident(2, 7)}, {.incarnation = 5, .revision = 9});
  auto news = board.news({});
  ASSERT_TRUE(news);
  EXPECT_TRUE(news->initial);
  EXPECT_THAT(revisions(news->incidents), ElementsAre(4, 7));
  EXPECT_EQ(board.edition()->revision, 9);
  EXPECT_FALSE(board.news(news->place).has_value());

  board.changed({incident(1, 10, false), incident(3, 11)});
  EXPECT_EQ(board.edition()->incarnation, 5u);
  EXPECT_EQ(board.edition()->revision, 11);
  news = board.news(news->place);
  ASSERT_TRUE(news);
  EXPECT_FALSE(news->initial);
  EXPECT_THAT(revisions(news->incidents), ElementsAre(10, 11));
  EXPECT_THAT(revisions(board.news(news->place - 1)->incidents), ElementsAre(11));
  EXPECT_THAT(revisions(board.open()), ElementsAre(7, 11));  // 1 is closed
}

TEST(IncidentBoard, who_has_missed_more_than_is_remembered_begins_anew) {
  IncidentBoard board;
  board.begin({}, {});
  const std::uint64_t begun = board.news({})->place;
  for (int revision = 1; revision <= 1001; ++revision) {
    board.changed({incident(1 + revision % 2, revision)});
  }
  EXPECT_THAT(board.news(begun + 1)->incidents, SizeIs(1000));
  EXPECT_FALSE(board.news(begun + 1)->initial);
  const auto news = board.news(begun);
  EXPECT_TRUE(news->initial);
  EXPECT_THAT(revisions(news->incidents), ElementsAre(1000, 1001));
}

// Even if the revisions of the two are the same.
TEST(IncidentBoard, who_knew_a_history_that_is_void_begins_anew) {
  IncidentBoard board;
  board.begin({}, {.incarnation = 1, .revision = 6});
  board.changed({incident(1, 7), incident(2, 8)});
  const std::uint64_t seen = board.news({})->place;
  board.begin({incident(3, 8)}, {.incarnation = 2, .revision = 8});
  const auto news = board.news(seen);
  ASSERT_TRUE(news);
  EXPECT_TRUE(news->initial);
  EXPECT_EQ(news->incidents.front()->id, 3);
  EXPECT_THAT(board.open(), SizeIs(1));
}

TEST(IncidentBoard, watchers_are_woken_for_as_long_as_they_hold_on) {
  IncidentBoard board;
  int woken = 0;
  auto handle = board.watch([&woken] { ++woken; });
  board.begin({}, {});
  EXPECT_EQ(woken, 1);
  board.changed({});
  EXPECT_EQ(woken, 1);
  board.changed({incident(1, 1)});
  EXPECT_EQ(woken, 2);
  handle.reset();
  board.changed({incident(1, 2)});
  EXPECT_EQ(woken, 2);
}

TEST(IncidentBoard, who_reads_while_it_is_written_misses_nothing) {
  constexpr std::int64_t kLast = 20'000;
  IncidentBoard board;
  board.begin({}, {});
  std::atomic<bool> over{false};
  std::thread reader([&] {
    std::int64_t seen = 0;
    std::optional<std::uint64_t> place;
    while (seen < kLast) {
      const auto news = board.news(place);
      if (!news) continue;
      for (const auto& each : news->incidents) {
        if (!news->initial) {
          ASSERT_EQ(each->revision, seen + 1);
        }
        seen = std::max(seen, each->revision);
      }
      place = news->place;
    }
    over = true;
  });
  for (std::int64_t revision = 1; revision <= kLast; ++revision) {
    board.changed({incident(revision % 7, revision)});
  }
  reader.join();
  EXPECT_TRUE(over);
  EXPECT_THAT(board.open(), SizeIs(7));
}

}  // namespace
}  // namespace stock::drift
