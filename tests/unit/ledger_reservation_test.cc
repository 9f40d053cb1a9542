#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
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
using ::testing::ElementsAre;
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

// The same said differently: reservations as a list of claims on shelves, counts as sums over it.
// Every rule is written down a second time, without levels that carry sums.
class Shop {
 public:
  struct Claim {
    std::map<Key, std::int64_t> units;
    std::map<Key, std::int64_t> shipped;
    std::set<Key> gone;  // ended line by line
    ReservationState state = ReservationState::kHeld;
    DatabaseTime until;
    std::int64_t revision = 1;
  };

  [[nodiscard]] std::int64_t reserved(const Key& key) const {
    std::int64_t sum = 0;
    for (const auto& [id, claim] : claims) {
      if (claim.state == ReservationState::kHeld && !claim.gone.contains(key)) {
        sum += at(claim.units, key);
      }
    }
    return sum;
  }
  [[nodiscard]] std::int64_t committed(const Key& key) const {
    std::int64_t sum = 0;
    for (const auto& [id, claim] : claims) {
      if (claim.state == ReservationState::kCommitted) {
        sum += at(claim.units, key) - at(claim.shipped, key);
      }
    }
    return sum;
  }
  [[nodiscard]] std::int64_t for_sale(const Key& key) const {
    const Counts& shelf = shelves.at(key);
    return std::max<std::int64_t>(0, shelf.on_hand - reserved(key) - committed(key) -
                                         shelf.safety_stock + shelf.backorder_limit);
  }
  static std::int64_t at(const std::map<Key, std::int64_t>& units, const Key& key) {
    const auto it = units.find(key);
    return it == units.end() ? 0 : it->second;
  }

  static bool live(const Claim& claim, const Key& key) {
    return claim.state == ReservationState::kHeld && claim.units.contains(key) &&
           !claim.gone.contains(key);
  }
  // Holds that are over, and still keep units on any of these shelves; those that ended first
  // first.
  [[nodiscard]] std::vector<Uuid> due(const std::set<Key>& on, DatabaseTime now) const {
    std::vector<Uuid> ids;
    for (const auto& [id, claim] : claims) {
      const bool keeps =
          std::any_of(on.begin(), on.end(), [&](const Key& key) { return live(claim, key); });
      if (keeps && claim.until <= now) ids.push_back(id);
    }
    std::stable_sort(ids.begin(), ids.end(), [this](const Uuid& a, const Uuid& b) {
      return claims.at(a).until < claims.at(b).until;
    });
    return ids;
  }
  // Gives back what they keep on these shelves; who keeps nothing any more is closed.
  void end(const std::vector<Uuid>& ids, const std::set<Key>& on) {
    for (const Uuid& id : ids) {
      Claim& claim = claims.at(id);
      for (const Key& key : on) {
        if (claim.units.contains(key)) claim.gone.insert(key);
      }
      if (claim.gone.size() == claim.units.size()) close(claim);
    }
  }
  static void close(Claim& claim) {
    claim.state = ReservationState::kExpired;
    ++claim.revision;
  }

  // Nothing: done. `more_due`: there is more to be given back, so that nobody is content with less.
  std::optional<Reason> run(const Request& request, DatabaseTime now, bool more_due) {
    const Action& action = *request.action;
    const auto found = claims.find(action.reservation);
    if (const auto* reserve = std::get_if<Reserve>(&action.what)) {
      std::map<Key, std::int64_t> wanted;
      for (const Line& line : reserve->lines) wanted[line.key] += line.quantity;
      bool short_of_some = false;
      for (auto it = wanted.begin(); it != wanted.end();) {
        if (it->second > for_sale(it->first)) {
          short_of_some = true;
          it->second = for_sale(it->first);
        }
        it = it->second == 0 ? wanted.erase(it) : std::next(it);
      }
      if (short_of_some && (!reserve->allow_partial || more_due || wanted.empty())) {
        return Reason::kInsufficientStock;
      }
      claims[action.reservation] = {.units = wanted, .until = now + reserve->ttl};
      return std::nullopt;
    }
    if (found == claims.end()) return Reason::kReservationNotFound;
    Claim& claim = found->second;
    if (action.expected_revision && *action.expected_revision != claim.revision) {
      return Reason::kCompareFailed;
    }
    const bool over = claim.state == ReservationState::kExpired ||
                      (claim.state == ReservationState::kHeld && claim.until <= now);
    if (std::holds_alternative<Expire>(action.what)) {
      const bool empty = claim.gone.size() == claim.units.size();
      if (claim.state == ReservationState::kHeld && over && empty) close(claim);
      return std::nullopt;
    }
    const bool fulfills = std::holds_alternative<Fulfill>(action.what);
    if (!fulfills && over) return Reason::kReservationExpired;
    if (const auto* update = std::get_if<Update>(&action.what)) {
      if (claim.state != ReservationState::kHeld) return Reason::kReservationState;
      std::map<Key, std::int64_t> wanted;
      for (const Line& line : update->lines) wanted[line.key] += line.quantity;
      if (update->lines.empty()) wanted = claim.units;
      for (const auto& [key, units] : wanted) {
        const std::int64_t more = units - at(claim.units, key);
        if (more > 0 && more > for_sale(key)) return Reason::kInsufficientStock;
      }
      claim.units = wanted;
      if (update->ttl) claim.until = now + *update->ttl;
    } else if (std::holds_alternative<Commit>(action.what)) {
      if (claim.state != ReservationState::kHeld) return Reason::kReservationState;
      claim.state = ReservationState::kCommitted;
    } else if (std::holds_alternative<Release>(action.what)) {
      if (claim.state != ReservationState::kHeld && claim.state != ReservationState::kCommitted) {
        return Reason::kReservationState;
      }
      claim.state = ReservationState::kReleased;
    } else if (const auto* fulfill = std::get_if<Fulfill>(&action.what)) {
      if (claim.state != ReservationState::kCommitted) return Reason::kReservationState;
      std::map<Key, std::int64_t> shipped;
      for (const Line& line : fulfill->lines) shipped[line.key] += line.quantity;
      if (fulfill->lines.empty()) {
        for (const auto& [key, units] : claim.units) {
          if (units > at(claim.shipped, key)) shipped[key] = units - at(claim.shipped, key);
        }
      }
      bool mismatch = false;
      bool missing = false;
      std::optional<Reason> first;
      for (const auto& [key, units] : shipped) {
        const std::int64_t rest = at(claim.units, key) - at(claim.shipped, key);
        if (units > rest) {
          mismatch = true;
          if (!first) first = Reason::kLineMismatch;
        } else if (units > shelves.at(key).on_hand) {
          missing = true;
          if (!first) first = Reason::kInsufficientStock;
        }
      }
      if (mismatch || missing) return first;
      bool all = true;
      for (const auto& [key, units] : shipped) {
        claim.shipped[key] += units;
        shelves[key].on_hand -= units;
      }
      for (const auto& [key, units] : claim.units) all = all && units == at(claim.shipped, key);
      if (all) claim.state = ReservationState::kFulfilled;
    }
    ++claim.revision;
    return std::nullopt;
  }

  std::map<Key, Counts> shelves;  // reserved and committed are not kept
  std::map<Uuid, Claim> claims;
};

class Chance {
 public:
  explicit Chance(unsigned seed) : random_(seed) {}
  int upto(int most) { return std::uniform_int_distribution<int>(0, most)(random_); }
  bool once_in(int times) { return upto(times - 1) == 0; }

 private:
  std::mt19937 random_;
};

// A ledger of a few keys, of which each batch sees what a transaction would: the levels and the
// reservations that its requests concern, and what has ended there, a few at a time. It keeps what
// the plan says, and nothing else.
class SmallLedger {
 public:
  SmallLedger(std::vector<Key> keys, Chance& chance, Shop& shop) : keys_(std::move(keys)) {
    for (const Key& key : keys_) {
      const Counts counts{.on_hand = chance.upto(12),
                          .safety_stock = chance.once_in(4) ? chance.upto(3) : 0,
                          .backorder_limit = chance.once_in(4) ? chance.upto(3) : 0};
      levels_[key] = {.exists = true, .counts = counts, .version = 1};
      shop.shelves[key] = counts;
    }
  }

  [[nodiscard]] std::set<Key> concerned(const std::vector<Request>& requests) const {
    std::set<Key> keys;
    for (const Request& request : requests) {
      for (const Line& line : request.lines()) keys.insert(line.key);
      const auto its = reservations_.find(request.action->reservation);
      if (its == reservations_.end()) continue;
      for (const domain::ReservationLine& line : its->second.lines) keys.insert(line.key);
    }
    return keys;
  }
  [[nodiscard]] Books open(const std::vector<Request>& requests, const std::set<Key>& keys,
                           const std::vector<Uuid>& due, bool truncated, DatabaseTime now) const {
    Books books;
    books.now = now;
    for (const Key& key : keys) books.levels[key] = levels_.at(key);
    for (const Request& request : requests) {
      const auto its = reservations_.find(request.action->reservation);
      if (its != reservations_.end()) books.reservations.insert(*its);
    }
    for (const Uuid& id : due) {
      books.due.reservations.push_back(reservations_.at(id));
      books.reservations.try_emplace(id, reservations_.at(id));
    }
    books.due.truncated = truncated;
    for (const auto& [id, it] : reservations_) {
      if (it.state != ReservationState::kHeld || it.ended(now)) continue;
      books.due.next = std::min(books.due.next.value_or(it.expire_at), it.expire_at);
    }
    return books;
  }
  // As it is written; the movements must continue what there is.
  void keep(const Plan& plan, const Books& books) {
    for (const PlannedMovement& movement : plan.movements) {
      LockedLevel& level = levels_.at(movement.key);
      ASSERT_EQ(movement.version, level.version + 1);
      ASSERT_EQ(movement.before, level.counts);
      level.version = movement.version;
      level.counts = movement.after;
      level.earliest_expiry = movement.earliest_expiry;
    }
    for (const auto& [key, level] : books.levels) {
      ASSERT_EQ(std::pair(level.version, level.counts),
                std::pair(levels_.at(key).version, levels_.at(key).counts));
    }
    for (const LapsedLine& lapsed : plan.lapsed) {
      for (domain::ReservationLine& line : reservations_.at(lapsed.reservation).lines) {
        if (line.key == lapsed.key) line.expired = true;
      }
    }
    for (const PlannedReservation& planned : plan.reservations) {
      const auto [its, is_new] =
          reservations_.insert_or_assign(planned.reservation.id, planned.reservation);
      ASSERT_EQ(planned.created, is_new);
    }
  }
  void expect_as_in(const Shop& shop) const {
    for (const Key& key : keys_) {
      const LockedLevel& level = levels_.at(key);
      const Counts expect{.on_hand = shop.shelves.at(key).on_hand,
                          .reserved = shop.reserved(key),
                          .committed = shop.committed(key),
                          .safety_stock = shop.shelves.at(key).safety_stock,
                          .backorder_limit = shop.shelves.at(key).backorder_limit};
      ASSERT_EQ(level.counts, expect);
      // No hold ends before the bound.
      for (const auto& [reservation, claim] : shop.claims) {
        if (!Shop::live(claim, key)) continue;
        ASSERT_TRUE(level.earliest_expiry && *level.earliest_expiry <= claim.until);
      }
    }
    ASSERT_EQ(reservations_.size(), shop.claims.size());
    for (const auto& [reservation, claim] : shop.claims) {
      const domain::Reservation& ours = reservations_.at(reservation);
      ASSERT_EQ(ours.state, claim.state);
      ASSERT_EQ(ours.revision, claim.revision);
      ASSERT_EQ(ours.expire_at, claim.until);
      ASSERT_EQ(ours.lines.size(), claim.units.size());
      for (const domain::ReservationLine& line : ours.lines) {
        ASSERT_EQ(line.quantity, Shop::at(claim.units, line.key));
        ASSERT_EQ(line.fulfilled, Shop::at(claim.shipped, line.key));
        ASSERT_EQ(line.expired, claim.gone.contains(line.key));
      }
    }
  }
  [[nodiscard]] bool knows(const Uuid& reservation) const {
    return reservations_.contains(reservation);
  }

 private:
  const std::vector<Key> keys_;
  LockedLevels levels_;
  Reservations reservations_;
};

// Where everything happens to the same few shelves. Other chances, by the million:
// --gtest_shuffle --gtest_repeat=10
TEST(ReservationPropertyTest, decides_as_a_naive_shop_does) {
  constexpr int kLedgers = 8'000;
  constexpr int kSteps = 16;
  const std::vector<Key> keys = {{"a", "x"}, {"b", "x"}, {"a", "y"}};
  std::map<std::string, int> happened;
  for (int number = 0; number < kLedgers; ++number) {
    Chance chance(static_cast<unsigned>(
        number + kLedgers * ::testing::UnitTest::GetInstance()->random_seed()));
    Shop shop;
    SmallLedger ledger(keys, chance, shop);
    DatabaseTime now = kNow;
    const auto lines = [&](int at_least) {
      std::vector<Line> some;
      for (int i = chance.upto(2) + at_least; i > 0; --i) {
        some.push_back({keys[static_cast<std::size_t>(chance.upto(2))], 1 + chance.upto(5)});
      }
      return some;
    };
    for (int step = 0; step < kSteps; ++step) {
      SCOPED_TRACE(fmt::format("ledger {}, step {}", number, step));
      if (chance.once_in(6)) now += seconds(chance.upto(20));
      std::vector<Request> requests;
      std::set<Uuid> made;
      for (int i = chance.once_in(2) ? 0 : chance.upto(3); i >= 0; --i) {
        const Uuid id = uuid(chance.once_in(8) ? 200 + step : chance.upto(4));
        Request request{.id = uuid(1000 + 10 * step + i), .digest = {}, .action = Action{}};
        Action& action = *request.action;
        action.reservation = id;
        if (chance.once_in(5)) action.expected_revision = 1 + chance.upto(2);
        switch (chance.upto(6)) {
          case 0:
          case 1:
            // What is there already is the memory's business.
            if (ledger.knows(id) || !made.insert(id).second) continue;
            request.id = id;
            action.expected_revision.reset();
            action.what = Reserve{.lines = lines(1),
                                  .ttl = seconds(1 + chance.upto(30)),
                                  .allow_partial = chance.once_in(3)};
            break;
          case 2:
            action.what = Update{.lines = lines(0)};
            if (chance.once_in(2)) std::get<Update>(action.what).ttl = seconds(1 + chance.upto(30));
            break;
          case 3:
            action.what = Commit{};
            break;
          case 4:
            action.what = Release{};
            break;
          case 5:
            action.what = Expire{};
            action.expected_revision.reset();
            break;
          default:
            action.what = Fulfill{.lines = chance.once_in(2) ? lines(0) : std::vector<Line>{}};
        }
        requests.push_back(std::move(request));
      }
      const std::set<Key> concerned = ledger.concerned(requests);
      std::vector<Uuid> due = shop.due(concerned, now);
      const std::size_t limit = chance.once_in(2) ? 1 : 100;
      const bool truncated = due.size() >= limit;
      if (truncated) due.resize(limit);

      Books books = ledger.open(requests, concerned, due, truncated, now);
      std::vector<const Request*> pointers;
      for (const Request& request : requests) pointers.push_back(&request);
      const Plan plan = make_plan(pointers, books);
      shop.end(due, concerned);
      for (std::size_t i = 0; i < requests.size(); ++i) {
        const std::optional<Reason> expected = shop.run(requests[i], now, truncated);
        const auto* refused = std::get_if<Refusal>(&plan.outcomes[i]);
        ASSERT_EQ(refused != nullptr ? std::optional(refused->reason) : std::nullopt, expected)
            << "request " << i << (refused != nullptr ? ": " + refused->message : "");
        ++happened[fmt::format("{} {}", requests[i].action->what.index(),
                               expected ? std::string(reason_name(*expected)) : "done")];
      }
      ASSERT_NO_FATAL_FAILURE(ledger.keep(plan, books));
      ASSERT_NO_FATAL_FAILURE(ledger.expect_as_in(shop));
    }
  }
  // Chance has led everywhere: every action was done, and refused for every reason it can be.
  EXPECT_THAT(happened, SizeIs(26)) << ::testing::PrintToString(happened);
}

}  // namespace
}  // namespace stock::ledger
