#include "stock/memory/memory_layer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace stock::memory {
namespace {

using domain::DatabaseTime;
using domain::Key;
using domain::Outcome;
using domain::Reading;
using layers::Answer;
using std::chrono::microseconds;

const feed::View kNoFeed{0};

Key key_of(int n) { return {.sku = "SKU-" + std::to_string(n), .location = "berlin"}; }

Reading reading_of(domain::Version version, int true_through_us = 0,
                   domain::Incarnation incarnation = 1) {
  Reading reading;
  reading.exists = true;
  reading.version = version;
  reading.counts.on_hand = version * 10;
  reading.true_through = DatabaseTime(microseconds(true_through_us));
  reading.incarnation = incarnation;
  return reading;
}

std::vector<Answer> ask(layers::Layer& layer, const std::vector<Key>& keys) {
  std::vector<Answer> answers(keys.size());
  int done = 0;
  layer.read(keys, answers, {}, [&](const std::string& detail) {
    ++done;
    EXPECT_EQ(detail, "");
  });
  EXPECT_EQ(done, 1);
  return answers;
}

void offer(layers::Fillable& layer, const Key& key, const Reading& reading) {
  layer.offer({&key, 1}, {&reading, 1});
}

domain::Version version_in(layers::Layer& layer, const Key& key) {
  const Answer answer = ask(layer, {key})[0];
  return answer.outcome == Outcome::kHit ? answer.reading.version : -1;
}

TEST(MemoryLayer, answers_what_it_was_offered_and_misses_the_rest) {
  MemoryLayer memory({.capacity = 10}, kNoFeed);
  const std::vector<Key> keys = {key_of(1), key_of(2), key_of(3)};
  memory.offer(std::vector{key_of(1), key_of(3)}, std::vector{reading_of(5), reading_of(7)});
  std::vector<Answer> answers = ask(memory, keys);
  EXPECT_EQ(answers[0].outcome, Outcome::kHit);
  EXPECT_EQ(answers[0].reading.version, 5);
  EXPECT_EQ(answers[0].reading.counts.on_hand, 50);
  EXPECT_EQ(answers[1].outcome, Outcome::kMiss);
  EXPECT_EQ(answers[2].reading.version, 7);
  EXPECT_EQ(memory.name(), "memory");
}

// All that the ledger said; by which instant of this machine it was true then means nothing later.
TEST(MemoryLayer, a_copy_says_all_that_the_reading_said) {
  MemoryLayer memory({.capacity = 10}, kNoFeed);
  const Reading told{.exists = true,
                     .version = domain::Version{1} << 61,
                     .counts = {.on_hand = domain::kMaxCount,
                                .reserved = 2,
                                .committed = 3,
                                .safety_stock = 4,
                                .backorder_limit = 5},
                     .earliest_expiry = DatabaseTime(microseconds(6)),
                     .as_of = DatabaseTime(microseconds(7)),
                     .true_through = DatabaseTime(microseconds(8)),
                     .incarnation = UINT64_MAX,
                     .heartbeat = 9,
                     .confirmed_at = domain::LocalTime(microseconds(10)),
                     .confirmed_within = microseconds(11),
                     .layer = "primary"};
  offer(memory, key_of(1), told);
  const Reading answered = ask(memory, {key_of(1)})[0].reading;
  EXPECT_TRUE(answered.exists);
  EXPECT_EQ(answered.version, told.version);
  EXPECT_EQ(answered.counts, told.counts);
  EXPECT_EQ(answered.earliest_expiry, told.earliest_expiry);
  EXPECT_EQ(answered.as_of, told.as_of);
  EXPECT_EQ(answered.true_through, told.true_through);
  EXPECT_EQ(answered.incarnation, told.incarnation);
  EXPECT_EQ(answered.heartbeat, told.heartbeat);
  EXPECT_EQ(answered.confirmed_at, domain::LocalTime());
}

TEST(MemoryLayer, answers_and_moves_of_many_keys_are_each_key_s_own) {
  MemoryLayer memory({.capacity = 1000}, kNoFeed);
  std::vector<Key> keys;
  std::vector<feed::Move> moves;
  for (int n = 0; n < 100; ++n) {
    keys.push_back(key_of(n));
    if (n % 3 != 0) offer(memory, keys.back(), reading_of(n));
    moves.push_back({.key = keys.back(), .version = n % 2 == 0 ? 1000 + n : 1, .exists = true});
  }
  memory.moved(moves);
  const std::vector<Answer> answers = ask(memory, keys);
  for (int n = 0; n < 100; ++n) {
    SCOPED_TRACE(n);
    ASSERT_EQ(answers[n].outcome, n % 3 == 0 ? Outcome::kMiss : Outcome::kHit);
    const int newest = n % 2 == 0 ? 1000 + n : n;
    EXPECT_EQ(answers[n].reading.version, n % 3 == 0 ? 0 : newest);
  }
}

// Of a move it takes over all that belongs to the version.
TEST(MemoryLayer, a_copy_that_moves_says_what_the_move_says) {
  MemoryLayer memory({.capacity = 10}, kNoFeed);
  offer(memory, key_of(1), reading_of(5));
  const feed::Move move{.key = key_of(1),
                        .version = 6,
                        .exists = true,
                        .counts = {.on_hand = 60, .reserved = 2},
                        .earliest_expiry = DatabaseTime(microseconds(900)),
                        .as_of = DatabaseTime(microseconds(7))};
  memory.moved({&move, 1});
  const Reading reading = ask(memory, {key_of(1)})[0].reading;
  EXPECT_EQ(reading.version, 6);
  EXPECT_EQ(reading.counts, move.counts);
  EXPECT_EQ(reading.earliest_expiry, move.earliest_expiry);
  EXPECT_EQ(reading.as_of, move.as_of);
}

TEST(MemoryLayer, keeps_the_same_sku_at_two_locations_apart) {
  MemoryLayer memory({.capacity = 10}, kNoFeed);
  const Key berlin{.sku = "A", .location = "berlin"};
  const Key paris{.sku = "A", .location = "paris"};
  offer(memory, berlin, reading_of(1));
  EXPECT_EQ(version_in(memory, paris), -1);
  offer(memory, paris, reading_of(2));
  EXPECT_EQ(version_in(memory, berlin), 1);
}

TEST(MemoryLayer, holds_absence_like_any_other_copy) {
  MemoryLayer memory({.capacity = 10}, kNoFeed);
  offer(memory, key_of(1), Reading());
  const Answer answer = ask(memory, {key_of(1)})[0];
  EXPECT_EQ(answer.outcome, Outcome::kHit);
  EXPECT_FALSE(answer.reading.exists);
}

TEST(MemoryLayer, a_copy_of_a_lower_version_replaces_nothing) {
  MemoryLayer memory({.capacity = 10}, kNoFeed);
  offer(memory, key_of(1), reading_of(5, 100));
  offer(memory, key_of(1), reading_of(4, 200));
  EXPECT_EQ(version_in(memory, key_of(1)), 5);
  offer(memory, key_of(1), reading_of(6, 50));
  EXPECT_EQ(version_in(memory, key_of(1)), 6);
}

TEST(MemoryLayer, a_copy_of_the_same_version_replaces_only_one_with_an_earlier_date) {
  MemoryLayer memory({.capacity = 10}, kNoFeed);
  const auto date = [&] {
    return ask(memory, {key_of(1)})[0].reading.true_through.time_since_epoch();
  };
  offer(memory, key_of(1), reading_of(5, 100));
  offer(memory, key_of(1), reading_of(5, 99));
  EXPECT_EQ(date(), microseconds(100));
  offer(memory, key_of(1), reading_of(5, 101));
  EXPECT_EQ(date(), microseconds(101));
}

TEST(MemoryLayer, a_copy_of_another_incarnation_replaces_whatever_is_held) {
  MemoryLayer memory({.capacity = 10}, kNoFeed);
  offer(memory, key_of(1), reading_of(5, 100, /*incarnation=*/1));
  offer(memory, key_of(1), reading_of(2, 50, /*incarnation=*/2));
  EXPECT_EQ(version_in(memory, key_of(1)), 2);
}

TEST(MemoryLayer, holds_exactly_its_capacity_however_it_is_split) {
  for (const std::size_t capacity : {1, 63, 64, 129, 1000, 5000}) {
    SCOPED_TRACE(capacity);
    MemoryLayer memory({.capacity = capacity, .shards = 7}, kNoFeed);
    EXPECT_EQ(memory.stats().capacity, capacity);
    const int offers = static_cast<int>(capacity) * 4;
    for (int n = 0; n < offers; ++n) offer(memory, key_of(n), reading_of(1));
    const MemoryStats stats = memory.stats();
    EXPECT_EQ(stats.entries, capacity);
    EXPECT_EQ(stats.evictions, offers - capacity);
  }
}

TEST(MemoryLayer, a_read_saves_a_key_from_eviction_and_a_look_beside_does_not) {
  MemoryLayer memory({.capacity = 2}, kNoFeed);
  PeekLayer beside(memory);
  for (const int n : {1, 2}) offer(memory, key_of(n), reading_of(n));
  EXPECT_EQ(version_in(beside, key_of(1)), 1);
  offer(memory, key_of(3), reading_of(3));
  EXPECT_EQ(version_in(beside, key_of(1)), -1);

  EXPECT_EQ(version_in(memory, key_of(2)), 2);
  offer(memory, key_of(4), reading_of(4));
  EXPECT_EQ(version_in(beside, key_of(2)), 2);
  EXPECT_EQ(version_in(beside, key_of(3)), -1);
  EXPECT_EQ(beside.name(), "memory");
}

TEST(MemoryLayer, forgets_everything_when_cleared) {
  MemoryLayer memory({.capacity = 1000}, kNoFeed);
  for (int n = 0; n < 1000; ++n) offer(memory, key_of(n), reading_of(1));
  memory.began();
  EXPECT_EQ(memory.stats().entries, 0U);
  EXPECT_EQ(version_in(memory, key_of(1)), -1);
}

// Counts and version are written from one number, so a torn copy would show.
TEST(MemoryLayer, threads_see_whole_copies_whose_versions_only_rise) {
  constexpr int kKeys = 300;
  constexpr int kThreads = 4;
  constexpr int kRounds = 20'000;
  MemoryLayer memory({.capacity = 256, .shards = 4}, kNoFeed);
  PeekLayer beside(memory);
  std::atomic<domain::Version> version{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(t);
      for (int round = 0; round < kRounds; ++round) {
        const int n = static_cast<int>(random() % kKeys);
        const Key key = key_of(n);
        const Answer answer = ask(round % 8 == 0 ? static_cast<layers::Layer&>(beside) : memory,
                                  {key, key_of((n + 1) % kKeys)})[0];
        if (answer.found()) {
          ASSERT_EQ(answer.reading.counts.on_hand, answer.reading.version * 10);
        } else {
          offer(memory, key, reading_of(version.fetch_add(1) + 1));
        }
        if (round % 5'000 == 4'999) memory.began();
        if (round % 100 == 0) {
          ASSERT_LE(memory.stats().entries, 256U);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace stock::memory
