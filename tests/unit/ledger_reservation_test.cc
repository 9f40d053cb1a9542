#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <utility>
#include <vector>

#include "stock/ledger/plan.h"

namespace stock::ledger {
namespace {

using domain::Counts;
using domain::DatabaseTime;
using domain::Key;
using domain::MovementKind;
using domain::ReservationState;
using domain::Uuid;
using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const Key kTea{"TEA", "berlin"};
const Key kCoffee{"COFFEE", "berlin"};
const Key kNowhere{"TEA", "atlantis"};
constexpr DatabaseTime kNow{hours(1000)};

Uuid uuid(int number) {
  Uuid id{};
  id[14] = static_cast<std::uint8_t>(number >> 8);
  id[15] = static_cast<std::uint8_t>(number);
  return id;
}

// Batches on one ledger, each decided on what those before left.
class ReservationTest : public ::testing::Test {
 protected:
  ReservationTest() {
    books.levels[kTea] = {.exists = true, .counts = {.on_hand = 10}, .version = 3};
    books.levels[kCoffee] = {.exists = true, .counts = {.on_hand = 5}, .version = 1};
    books.levels[kNowhere].location_exists = false;
    books.now = kNow;
  }

  // What one batch of one request does.
  Outcome run(const Request& request) {
    const Request* requests[] = {&request};
    plan = make_plan(requests, books);
    books.due = {};
    return plan.outcomes.front();
  }
  Outcome act(int reservation, decltype(Action::what) what,
              std::optional<std::int64_t> revision = {}) {
    Request request{.id = uuid(++last_request), .digest = {}, .action = Action{}};
    request.digest[0] = static_cast<std::uint8_t>(last_request);
    request.action->reservation = uuid(reservation);
    request.action->expected_revision = revision;
    request.action->what = std::move(what);
    return run(request);
  }
  Outcome reserve(int reservation, std::vector<Line> lines, bool allow_partial = false,
                  microseconds ttl = seconds(60)) {
    Request request{.id = uuid(reservation), .digest = {1}, .action = Action{}};
    request.action->reservation = uuid(reservation);
    request.action->what =
        Reserve{.lines = std::move(lines), .ttl = ttl, .allow_partial = allow_partial};
    return run(request);
  }
  // As the store finds what has ended.
  void find_due() {
    for (const auto& [id, reservation] : books.reservations) {
      if (reservation.ended(books.now)) books.due.reservations.push_back(reservation);
    }
  }

  static const Applied& applied(const Outcome& outcome) {
    if (const auto* refusal = std::get_if<Refusal>(&outcome)) {
      ADD_FAILURE() << refusal->message;
      static const Applied kNothing;
      return kNothing;
    }
    return std::get<Applied>(outcome);
  }
  static Refusal refusal(const Outcome& outcome) {
    if (std::holds_alternative<Applied>(outcome)) {
      ADD_FAILURE() << "it was applied";
      return {};
    }
    return std::get<Refusal>(outcome);
  }
  const Counts& tea() { return books.levels[kTea].counts; }
  const Counts& coffee() { return books.levels[kCoffee].counts; }

  Books books;
  Plan plan;
  int last_request = 1000;
};

TEST_F(ReservationTest, a_hold_takes_what_can_be_sold_and_says_until_when) {
  const Outcome outcome = reserve(1, {{kTea, 4}, {kCoffee, 5}});
  EXPECT_EQ(tea().reserved, 4);
  EXPECT_EQ(coffee().reserved, 5);
  const domain::Reservation& made = *applied(outcome).reservation;
  EXPECT_EQ(made.state, ReservationState::kHeld);
  EXPECT_EQ(made.revision, 1);
  EXPECT_EQ(made.expire_at, kNow + seconds(60));
  ASSERT_THAT(made.lines, SizeIs(2));
  EXPECT_EQ(made.lines[0].key, kCoffee);
  ASSERT_THAT(plan.movements, SizeIs(2));
  EXPECT_EQ(plan.movements[1].kind, MovementKind::kReserve);
  EXPECT_EQ(plan.movements[1].reservation, uuid(1));
  EXPECT_EQ(plan.movements[1].earliest_expiry, kNow + seconds(60));
  EXPECT_EQ(plan.movements[1].version, 4);
  ASSERT_THAT(plan.reservations, SizeIs(1));
  EXPECT_TRUE(plan.reservations[0].created);
}

TEST_F(ReservationTest, one_line_too_many_holds_nothing) {
  const Refusal refused = refusal(reserve(1, {{kTea, 11}, {kCoffee, 6}, {kCoffee, 1}}));
  EXPECT_EQ(refused.reason, Reason::kInsufficientStock);
  ASSERT_THAT(refused.lines, SizeIs(2));
  EXPECT_EQ(refused.lines[0].key, kCoffee);
  EXPECT_EQ(refused.lines[0].shortfall, 2) << "lines of a key are summed";
  EXPECT_EQ(refused.lines[1].shortfall, 1);
  EXPECT_TRUE(plan.empty());
  EXPECT_EQ(tea().reserved, 0);
}

TEST_F(ReservationTest, a_partial_hold_takes_what_there_is) {
  const Outcome outcome = reserve(1, {{kTea, 11}, {kCoffee, 2}}, true);
  ASSERT_THAT(applied(outcome).reservation->lines, SizeIs(2));
  EXPECT_EQ(tea().reserved, 10);
  EXPECT_EQ(refusal(reserve(2, {{kTea, 1}}, true)).reason, Reason::kInsufficientStock);
  EXPECT_THAT(applied(reserve(3, {{kTea, 1}, {kCoffee, 1}}, true)).reservation->lines, SizeIs(1));
  EXPECT_EQ(refusal(reserve(4, {{kNowhere, 1}, {kCoffee, 1}}, true)).reason,
            Reason::kLocationNotFound);
}

TEST_F(ReservationTest, whatever_there_is_not_is_short_however_much_it_is) {
  applied(reserve(1, {{kTea, 1}}));
  const Refusal refused = refusal(reserve(2, {{kTea, domain::kMaxCount}}));
  EXPECT_EQ(refused.reason, Reason::kInsufficientStock);
  EXPECT_EQ(refused.lines[0].shortfall, domain::kMaxCount - 9);
  applied(reserve(3, {{kTea, domain::kMaxCount}, {kCoffee, 1}}, true));
  EXPECT_EQ(tea().reserved, 10);
  // What could be sold and cannot be counted.
  books.levels[kTea].counts.reserved = domain::kMaxCount - 1;
  books.levels[kTea].counts.backorder_limit = domain::kMaxCount;
  EXPECT_EQ(refusal(reserve(4, {{kTea, 2}})).reason, Reason::kCountOutOfRange);
  applied(reserve(5, {{kTea, 20}}, true));
  EXPECT_EQ(tea().reserved, domain::kMaxCount) << "a part of it, as much as can be counted";
}

TEST_F(ReservationTest, safety_stock_is_not_for_sale_and_backorders_are) {
  books.levels[kTea].counts = {.on_hand = 10, .safety_stock = 8, .backorder_limit = 3};
  EXPECT_EQ(refusal(reserve(1, {{kTea, 6}})).lines[0].shortfall, 1);
  applied(reserve(2, {{kTea, 5}}));
  EXPECT_EQ(tea().available(), -3);
}

TEST_F(ReservationTest, a_commit_needs_no_stock_and_no_second_one) {
  applied(reserve(1, {{kTea, 10}}));
  books.levels[kTea].counts.on_hand = 2;  // somebody has counted
  applied(act(1, Commit{}));
  EXPECT_EQ(tea(), (Counts{.on_hand = 2, .committed = 10}));
  EXPECT_FALSE(books.levels[kTea].earliest_expiry);
  EXPECT_EQ(refusal(act(1, Commit{})).reason, Reason::kReservationState);
  EXPECT_EQ(refusal(act(2, Commit{})).reason, Reason::kReservationNotFound);
}

TEST_F(ReservationTest, who_repeats_a_request_is_told_what_is_now) {
  applied(reserve(1, {{kTea, 3}}));
  applied(act(1, Commit{}));
  const Outcome again = reserve(1, {{kTea, 3}});
  EXPECT_TRUE(applied(again).replayed);
  EXPECT_EQ(applied(again).reservation->state, ReservationState::kCommitted);
  EXPECT_TRUE(plan.empty());
  Request other{.id = uuid(1), .digest = {2}, .action = Action{}};
  other.action->reservation = uuid(1);
  other.action->what = Reserve{.lines = {{kTea, 4}}, .ttl = seconds(9)};
  EXPECT_EQ(refusal(run(other)).reason, Reason::kReservationExists);
}

TEST_F(ReservationTest, a_shopper_is_not_blocked_by_the_own_hold) {
  applied(reserve(1, {{kTea, 8}}));
  applied(act(1, Update{.lines = {{kTea, 10}}}));
  EXPECT_EQ(tea().reserved, 10);
  EXPECT_EQ(refusal(act(1, Update{.lines = {{kTea, 11}}})).lines[0].shortfall, 1);
  applied(act(1, Update{.lines = {{kCoffee, 2}}}));
  EXPECT_EQ(tea().reserved, 0);
  EXPECT_FALSE(books.levels[kTea].earliest_expiry);
  EXPECT_EQ(coffee().reserved, 2);
  EXPECT_EQ(books.levels[kCoffee].earliest_expiry, kNow + seconds(60));
}

TEST_F(ReservationTest, an_extension_leaves_no_movement_and_a_shortening_does) {
  applied(reserve(1, {{kTea, 1}}));
  applied(act(1, Update{.ttl = seconds(120)}));
  EXPECT_THAT(plan.movements, IsEmpty());
  EXPECT_EQ(books.reservations[uuid(1)].expire_at, kNow + seconds(120));
  EXPECT_EQ(books.levels[kTea].earliest_expiry, kNow + seconds(60)) << "none ends before";
  applied(act(1, Update{.ttl = seconds(5)}));
  ASSERT_THAT(plan.movements, SizeIs(1));
  EXPECT_EQ(plan.movements[0].before, plan.movements[0].after);
  EXPECT_EQ(plan.movements[0].earliest_expiry, kNow + seconds(5));
}

TEST_F(ReservationTest, an_etag_of_before_is_refused) {
  applied(reserve(1, {{kTea, 1}}));
  applied(act(1, Update{.ttl = seconds(120)}, 1));
  const Refusal refused = refusal(act(1, Commit{}, 1));
  EXPECT_EQ(refused.reason, Reason::kCompareFailed);
  EXPECT_THAT(refused.message, HasSubstr("etag is 2"));
  applied(act(1, Commit{}, 2));
}

TEST_F(ReservationTest, what_is_shipped_leaves_the_shelf_in_parts_or_at_once) {
  applied(reserve(1, {{kTea, 4}, {kCoffee, 2}}));
  EXPECT_EQ(refusal(act(1, Fulfill{})).reason, Reason::kReservationState);
  applied(act(1, Commit{}));
  applied(act(1, Fulfill{.lines = {{kTea, 3}}}));
  EXPECT_EQ(tea(), (Counts{.on_hand = 7, .committed = 1}));
  EXPECT_EQ(refusal(act(1, Fulfill{.lines = {{kTea, 2}}})).reason, Reason::kLineMismatch);
  EXPECT_EQ(refusal(act(1, Fulfill{.lines = {{kNowhere, 1}}})).reason, Reason::kLineMismatch);
  applied(act(1, Fulfill{}));
  EXPECT_EQ(tea(), (Counts{.on_hand = 6}));
  EXPECT_EQ(coffee(), (Counts{.on_hand = 3}));
  EXPECT_EQ(books.reservations[uuid(1)].state, ReservationState::kFulfilled);
}

TEST_F(ReservationTest, a_backorder_is_shipped_when_it_has_arrived) {
  books.levels[kTea].counts.backorder_limit = 5;
  applied(reserve(1, {{kTea, 12}}));
  applied(act(1, Commit{}));
  EXPECT_EQ(refusal(act(1, Fulfill{})).lines[0].shortfall, 2);
  books.levels[kTea].counts.on_hand += 2;
  applied(act(1, Fulfill{}));
  EXPECT_EQ(tea().on_hand, 0);
}

TEST_F(ReservationTest, a_cancelled_sale_gives_back_what_was_not_shipped) {
  applied(reserve(1, {{kTea, 4}, {kCoffee, 1}}));
  applied(act(1, Commit{}));
  applied(act(1, Fulfill{.lines = {{kTea, 1}, {kCoffee, 1}}}));
  applied(act(1, Release{}));
  EXPECT_THAT(plan.movements, SizeIs(1)) << "all coffee was shipped";
  EXPECT_EQ(tea(), (Counts{.on_hand = 9}));
  EXPECT_EQ(refusal(act(1, Release{})).reason, Reason::kReservationState);
}

TEST_F(ReservationTest, a_hold_past_its_end_is_nobodys_even_before_it_is_swept) {
  applied(reserve(1, {{kTea, 4}}));
  books.now = kNow + seconds(60);
  EXPECT_EQ(refusal(act(1, Commit{})).reason, Reason::kReservationExpired);
  EXPECT_EQ(refusal(act(1, Release{})).reason, Reason::kReservationExpired);
  EXPECT_EQ(refusal(act(1, Update{.ttl = seconds(60)})).reason, Reason::kReservationExpired);
  EXPECT_EQ(tea().reserved, 4);
}

TEST_F(ReservationTest, a_hold_at_its_very_last_instant_is_live) {
  applied(reserve(1, {{kTea, 4}}));
  books.now = kNow + seconds(60) - microseconds(1);
  applied(act(1, Commit{}));
}

TEST_F(ReservationTest, whoever_needs_the_stock_ends_holds_that_are_over) {
  applied(reserve(1, {{kTea, 10}}));
  books.now = kNow + seconds(60);
  find_due();
  applied(reserve(2, {{kTea, 7}}));
  ASSERT_THAT(plan.movements, SizeIs(2));
  EXPECT_EQ(plan.movements[0].kind, MovementKind::kExpire);
  EXPECT_EQ(plan.movements[0].request, std::nullopt);
  EXPECT_EQ(plan.movements[0].reservation, uuid(1));
  EXPECT_EQ(plan.movements[1].kind, MovementKind::kReserve);
  EXPECT_EQ(tea().reserved, 7);
  EXPECT_EQ(books.reservations[uuid(1)].state, ReservationState::kExpired);
  EXPECT_THAT(plan.lapsed, IsEmpty());
  ASSERT_THAT(plan.reservations, SizeIs(2));
}

TEST_F(ReservationTest, an_ended_hold_goes_back_even_if_nobody_gets_its_stock) {
  applied(reserve(1, {{kTea, 10}}));
  books.now = kNow + seconds(60);
  find_due();
  refusal(reserve(2, {{kTea, 11}}));
  EXPECT_FALSE(plan.empty());
  EXPECT_EQ(tea().reserved, 0);
}

TEST_F(ReservationTest, a_hold_ends_line_by_line_where_other_levels_are_not_locked) {
  applied(reserve(1, {{kTea, 10}, {kCoffee, 3}}));
  books.now = kNow + seconds(60);
  find_due();
  const LockedLevel coffee_level = books.levels[kCoffee];
  books.levels.erase(kCoffee);
  applied(reserve(2, {{kTea, 1}}));
  ASSERT_THAT(plan.lapsed, SizeIs(1));
  EXPECT_EQ(plan.lapsed[0].key, kTea);
  EXPECT_EQ(books.reservations[uuid(1)].state, ReservationState::kHeld);
  ASSERT_THAT(plan.reservations, SizeIs(1)) << "the other one is not written as a whole";

  books.levels[kCoffee] = coffee_level;
  find_due();
  Request sweep{
      .id = uuid(1),
      .kind = MovementKind::kExpire,
      .action = Action{.reservation = uuid(1), .expected_revision = {}, .what = Expire{}}};
  applied(run(sweep));
  ASSERT_THAT(plan.movements, SizeIs(1));
  EXPECT_EQ(plan.movements[0].key, kCoffee);
  EXPECT_EQ(books.reservations[uuid(1)].state, ReservationState::kExpired);
  EXPECT_THAT(plan.applied, IsEmpty()) << "nobody repeats a sweep";
}

TEST_F(ReservationTest, a_hold_that_ended_line_by_line_is_closed) {
  applied(reserve(1, {{kTea, 1}}));
  books.reservations[uuid(1)].lines[0].expired = true;
  books.now = kNow + seconds(60);
  Request sweep{
      .id = uuid(1),
      .action = Action{.reservation = uuid(1), .expected_revision = {}, .what = Expire{}}};
  applied(run(sweep));
  EXPECT_EQ(books.reservations[uuid(1)].state, ReservationState::kExpired);
  EXPECT_THAT(plan.movements, IsEmpty());
  EXPECT_THAT(plan.reservations, SizeIs(1));
}

TEST_F(ReservationTest, a_hold_of_a_level_that_was_deleted_ends_and_does_not_bring_it_back) {
  applied(reserve(1, {{kTea, 1}, {kCoffee, 2}}));
  books.levels[kTea] = {.exists = false, .version = 5};
  books.now = kNow + seconds(60);
  find_due();
  Request sweep{
      .id = uuid(1),
      .action = Action{.reservation = uuid(1), .expected_revision = {}, .what = Expire{}}};
  applied(run(sweep));
  EXPECT_EQ(books.reservations[uuid(1)].state, ReservationState::kExpired);
  ASSERT_THAT(plan.movements, SizeIs(1));
  EXPECT_EQ(plan.movements[0].key, kCoffee);
  EXPECT_FALSE(books.levels[kTea].exists);
}

TEST_F(ReservationTest, a_hold_that_has_begun_to_end_stays_so_when_the_clock_is_set_back) {
  applied(reserve(1, {{kTea, 1}, {kCoffee, 1}}));
  books.reservations[uuid(1)].lines[0].expired = true;
  EXPECT_EQ(refusal(act(1, Commit{})).reason, Reason::kReservationExpired);
}

TEST_F(ReservationTest, a_sweep_leaves_alone_what_was_extended_meanwhile) {
  applied(reserve(1, {{kTea, 1}}));
  applied(act(1, Update{.ttl = seconds(120)}));
  books.now = kNow + seconds(60);
  Request sweep{
      .id = uuid(1),
      .action = Action{.reservation = uuid(1), .expected_revision = {}, .what = Expire{}}};
  applied(run(sweep));
  EXPECT_TRUE(plan.empty());
  EXPECT_EQ(tea().reserved, 1);
}

TEST_F(ReservationTest, the_bound_moves_on_to_the_next_hold) {
  applied(reserve(1, {{kTea, 1}}, false, seconds(10)));
  applied(reserve(2, {{kTea, 1}}, false, seconds(30)));
  EXPECT_EQ(books.levels[kTea].earliest_expiry, kNow + seconds(10));
  books.now = kNow + seconds(10);
  find_due();
  books.due.next = kNow + seconds(30);
  applied(reserve(3, {{kTea, 1}}, false, seconds(60)));
  EXPECT_EQ(books.levels[kTea].earliest_expiry, kNow + seconds(30));
}

TEST_F(ReservationTest, counts_that_sql_took_away_do_not_become_negative) {
  applied(reserve(1, {{kTea, 4}}));
  books.levels[kTea].counts.reserved = 1;
  applied(act(1, Commit{}));
  EXPECT_EQ(tea(), (Counts{.on_hand = 10, .committed = 4}));
  books.levels[kTea].counts.committed = 3;
  applied(act(1, Release{}));
  EXPECT_EQ(tea(), (Counts{.on_hand = 10}));
}

TEST_F(ReservationTest, what_one_batch_makes_its_later_requests_find) {
  Request create{.id = uuid(1), .digest = {1}, .action = Action{}};
  create.action->reservation = uuid(1);
  create.action->what = Reserve{.lines = {{kTea, 4}}, .ttl = seconds(60)};
  Request commit{.id = uuid(2), .digest = {2}, .action = Action{}};
  commit.action->reservation = uuid(1);
  commit.action->what = Commit{};
  const Request* requests[] = {&commit, &create, &commit, &create};
  plan = make_plan(requests, books);
  EXPECT_EQ(refusal(plan.outcomes[0]).reason, Reason::kReservationNotFound);
  EXPECT_FALSE(applied(plan.outcomes[1]).replayed);
  EXPECT_FALSE(applied(plan.outcomes[2]).replayed);
  EXPECT_TRUE(applied(plan.outcomes[3]).replayed);
  ASSERT_THAT(plan.reservations, SizeIs(1)) << "as the batch leaves it";
  EXPECT_TRUE(plan.reservations[0].created);
  EXPECT_EQ(plan.reservations[0].reservation.state, ReservationState::kCommitted);
  ASSERT_THAT(plan.movements, SizeIs(2));
  EXPECT_EQ(plan.movements[1].version, 5);
}

}  // namespace
}  // namespace stock::ledger
