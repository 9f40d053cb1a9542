#include <gtest/gtest.h>

#include <chrono>
#include <vector>

#include "batcher_world.h"

namespace stock::ledger {
namespace {

TEST_F(BatcherTest, a_reservation_goes_its_way_batch_by_batch) {
  start();
  Request create = reserve(1, {{kTea, 4}});
  submit(create);
  ASSERT_TRUE(applied(0).reservation);
  submit(on_reservation(2, create.id, Commit{}));
  EXPECT_EQ(applied(1).reservation->state, domain::ReservationState::kCommitted);
  submit(on_reservation(2, create.id, Commit{}));
  EXPECT_TRUE(applied(2).replayed);
  submit(create);
  EXPECT_TRUE(applied(3).replayed);
  EXPECT_EQ(applied(3).reservation->state, domain::ReservationState::kCommitted);
  submit(on_reservation(3, create.id, Fulfill{}));
  applied(4);
  EXPECT_EQ(store.counts(kTea), (domain::Counts{.on_hand = 96}));
}

// How many lines a reservation has that is only named, nobody knows before the batch has been
// formed.
TEST_F(BatcherTest, a_batch_of_reservations_with_too_many_lines_is_halved) {
  options.max_lines = 4;
  std::vector<Line> lines;
  for (int line = 0; line < 4; ++line) {
    lines.push_back({{"SKU" + std::to_string(line), "berlin"}, 1});
    store.put(lines.back().key, {.on_hand = 100}, 1);
  }
  start();
  for (int i = 0; i < 4; ++i) {
    Request create = on_reservation(static_cast<std::uint8_t>(10 + i), {},
                                    Reserve{.lines = lines, .ttl = seconds(60)});
    create.action->reservation = create.id;
    submit(create);
    applied(static_cast<std::size_t>(i));
  }
  const std::size_t before = store.batches().size();
  store.fail(FakeStore::Step::kBegin, absl::UnavailableError("not yet"));  // until all four wait
  for (int i = 0; i < 4; ++i) {
    submit(on_reservation(static_cast<std::uint8_t>(20 + i),
                          on_reservation(static_cast<std::uint8_t>(10 + i), {}, Commit{}).id,
                          Commit{}));
  }
  for (std::size_t i = 4; i < 8; ++i) applied(i);
  for (const FakeStore::Batch& batch : store.batches()) EXPECT_LE(batch.size(), 2u);
  EXPECT_GE(store.batches().size(), before + 2);
}

TEST_F(BatcherTest, a_commit_that_was_lost_and_happened_is_a_reservation_made_once) {
  start();
  store.fail(FakeStore::Step::kCommit, absl::UnavailableError("lost"), FakeStore::Fate::kHappened);
  Request create = reserve(1, {{kTea, 4}});
  submit(create);
  EXPECT_TRUE(applied(0).replayed);
  EXPECT_EQ(store.counts(kTea).reserved, 4);
}

// More have ended than one transaction gives back.
TEST_F(BatcherTest, nobody_is_refused_what_holds_that_are_over_have_yet_to_give_back) {
  store.limit_due(2);
  start();
  for (std::uint8_t n = 1; n <= 5; ++n) {
    submit(reserve(n, {{kTea, 20}}));
    applied(submitted - 1);
  }
  store.set_now(domain::DatabaseTime(std::chrono::hours(2)));
  submit(reserve(6, {{kTea, 95}}));
  applied(5);
  Request partial = reserve(7, {{kTea, 20}});
  std::get<Reserve>(partial.action->what).allow_partial = true;
  submit(partial);
  EXPECT_EQ(applied(6).reservation->lines[0].quantity, 5);
  submit(reserve(8, {{kTea, 1}}));
  EXPECT_EQ(refusal(7).reason, Reason::kInsufficientStock);
  EXPECT_EQ(store.counts(kTea).reserved, 100);
}

TEST_F(BatcherTest, a_partial_hold_takes_all_that_holds_that_are_over_give_back) {
  store.limit_due(2);
  start();
  for (std::uint8_t n = 1; n <= 5; ++n) {
    submit(reserve(n, {{kTea, 20}}));
    applied(submitted - 1);
  }
  store.set_now(domain::DatabaseTime(std::chrono::hours(2)));
  Request partial = reserve(6, {{kTea, 120}});
  std::get<Reserve>(partial.action->what).allow_partial = true;
  submit(partial);
  EXPECT_EQ(applied(5).reservation->lines[0].quantity, 100);
}

// As after an UPDATE by hand, and whatever came then.
TEST_F(BatcherTest, a_sweep_ends_a_hold_of_which_the_level_knows_nothing) {
  start();
  const Request create = reserve(1, {{kTea, 4}});
  submit(create);
  applied(0);
  store.put(kTea, {.on_hand = 100}, 3);
  store.set_now(domain::DatabaseTime(std::chrono::hours(2)));
  submit(on_reservation(2, create.id, Expire{}));
  EXPECT_EQ(applied(1).reservation->state, domain::ReservationState::kExpired);
  EXPECT_EQ(store.reservation(create.id)->state, domain::ReservationState::kExpired);
  EXPECT_EQ(store.counts(kTea), (domain::Counts{.on_hand = 100}));
}

TEST_F(BatcherTest, holds_that_are_over_are_given_back_by_whoever_comes_next) {
  start();
  Request create = reserve(1, {{kTea, 100}});
  submit(create);
  applied(0);
  store.set_now(domain::DatabaseTime(std::chrono::hours(2)));
  Request next = reserve(2, {{kTea, 100}});
  submit(next);
  applied(1);
  EXPECT_EQ(store.counts(kTea).reserved, 100);
  EXPECT_EQ(store.reservation(create.id)->state, domain::ReservationState::kExpired);
}

}  // namespace
}  // namespace stock::ledger
