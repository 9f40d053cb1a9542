// The judge is judged: histories that are forged, each with one lie, and true ones without any.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "support/clock_bounds.h"
#include "unit/forged_world.h"

namespace stock::support {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class HistoryCheckerTest : public ::testing::Test {
 protected:
  // A lamp with five versions of 10, 20... 50, long ago.
  HistoryCheckerTest() {
    for (int i = 0; i < 5; ++i) {
      world_.write(kLamp, 10);
      world_.pass(kLong);
    }
  }

  // Exactly one lie, which is told with the key in it.
  void expect(OffenceKind kind, const std::string& told = "lamp@main") {
    const Verdict verdict = world_.verdict();
    EXPECT_THAT(kinds(verdict), ElementsAre(kind)) << verdict.text();
    EXPECT_THAT(verdict.text(), HasSubstr(told));
  }
  void expect_nothing() {
    EXPECT_EQ(world_.verdict().offences_total, 0u) << world_.verdict().text();
  }

  World world_;
};

TEST_F(HistoryCheckerTest, what_is_true_is_not_held_against_anybody) {
  world_.consistent_read(kLamp);
  world_.read({kLamp, kVase}, microseconds(3000));
  world_.token_read({kLamp, kVase}, request_id(5), microseconds(10));
  const Verdict verdict = world_.verdict();
  EXPECT_THAT(verdict.offences, IsEmpty()) << verdict.text();
  EXPECT_EQ(verdict.answers, 8u);
  EXPECT_EQ(verdict.levels, 10u);
  EXPECT_GT(verdict.claims, 50u);
}

TEST_F(HistoryCheckerTest, a_wrong_count) {
  world_.read({kLamp}, microseconds(0)).levels[0].counts.on_hand = 49;
  expect(OffenceKind::kWrongCounts, "on_hand 49");
}

TEST_F(HistoryCheckerTest, a_count_that_is_right_for_a_level_that_is_gone) {
  world_.read({kLamp}, microseconds(0)).levels[0].exists = false;
  expect(OffenceKind::kWrongCounts);
}

TEST_F(HistoryCheckerTest, a_level_that_never_moved_and_has_counts) {
  world_.read({kVase}, microseconds(0)).levels[0].counts.on_hand = 1;
  expect(OffenceKind::kWrongCounts, "vase@main");
}

TEST_F(HistoryCheckerTest, a_version_that_the_ledger_does_not_have) {
  world_.read({kLamp}, microseconds(0)).levels[0].version = 6;
  expect(OffenceKind::kNoSuchVersion, "version 6");
}

TEST_F(HistoryCheckerTest, a_version_that_was_replaced_in_its_own_transaction) {
  world_.era.ledger.movements[kLamp][3].xid = world_.era.ledger.movements[kLamp][4].xid;
  world_.read({kLamp}, kLong + microseconds(500));
  EXPECT_THAT(kinds(world_.verdict()), Contains(OffenceKind::kNeverVisible));
}

TEST_F(HistoryCheckerTest, a_wrong_as_of) {
  *world_.read({kLamp}, microseconds(0)).levels[0].as_of -= microseconds(1);
  expect(OffenceKind::kWrongAsOf);
}

TEST_F(HistoryCheckerTest, a_version_that_is_true_before_it_was_committed) {
  ReadOp& read = world_.read({kLamp}, microseconds(0));
  const auto committed = world_.era.ledger.movements[kLamp].back().committed_at;
  read.levels[0].age += read.levels[0].true_through - committed + microseconds(1);
  read.age = read.levels[0].age;
  read.levels[0].true_through = committed - microseconds(1);
  expect(OffenceKind::kNotYetTrue);
}

TEST_F(HistoryCheckerTest, a_date_in_the_future) {
  world_.read({kLamp}, microseconds(0)).levels[0].true_through += microseconds(1000);
  expect(OffenceKind::kNotYetTrue);
}

// The copy says that it held 1 us later than the successor had been seen.
TEST_F(HistoryCheckerTest, a_stale_claim) {
  ReadOp& read = world_.read({kLamp}, kLong + microseconds(500));
  ASSERT_EQ(read.levels[0].version, 4);
  // Before the writer had its answer, which is a proof as well.
  LedgerMovement& fifth = world_.era.ledger.movements[kLamp][4];
  const DatabaseTime seen = fifth.committed_at + microseconds(60);
  fifth.seen_by = seen;
  read.levels[0].true_through = seen;
  EXPECT_EQ(world_.verdict().offences_total, 0u) << world_.verdict().text();
  read.levels[0].true_through = seen + microseconds(1);
  expect(OffenceKind::kStaleClaim, "version 5 had replaced it");
}

// Without the leader's record, the writer's answer is the proof.
TEST_F(HistoryCheckerTest, a_stale_claim_that_only_the_writer_can_refute) {
  for (auto& movement : world_.era.ledger.movements[kLamp]) movement.seen_by.reset();
  ReadOp& read = world_.read({kLamp}, kLong + microseconds(500));
  ASSERT_EQ(read.levels[0].version, 4);
  read.levels[0].true_through += microseconds(2000);
  expect(OffenceKind::kStaleClaim);
}

TEST_F(HistoryCheckerTest, an_age_that_is_too_small_for_its_own_date) {
  ReadOp& read = world_.read({kLamp}, microseconds(3000));
  read.levels[0].age -= microseconds(500);
  expect(OffenceKind::kAgeTooSmall);
}

// Its date is honest, but who believes the age takes it for newer than its successor.
TEST_F(HistoryCheckerTest, an_age_that_is_too_small_for_what_is_true) {
  ReadOp& read = world_.read({kLamp}, kLong + microseconds(500));
  read.levels[0].age = microseconds(1000);
  const Verdict verdict = world_.verdict();
  EXPECT_THAT(kinds(verdict), ElementsAre(OffenceKind::kAgeTooSmall, OffenceKind::kAgeTooSmall));
  EXPECT_THAT(verdict.text(), HasSubstr("version 5 had replaced it"));
}

TEST_F(HistoryCheckerTest, an_answer_that_is_younger_than_its_parts) {
  world_.read({kLamp, kVase}, microseconds(3000)).age = microseconds(2999);
  expect(OffenceKind::kAgeTooSmall, "oldest part");
}

TEST_F(HistoryCheckerTest, a_bound_that_is_exceeded_and_one_that_is_said_to_be) {
  ReadOp& read = world_.read({kLamp}, microseconds(3000));
  read.bound = microseconds(3040);
  expect_nothing();
  read.bound = microseconds(3039);
  expect(OffenceKind::kBoundExceeded);
  read.bound_missed = true;
  expect_nothing();
}

TEST_F(HistoryCheckerTest, a_token_read_that_misses_its_write) {
  world_.token_read({kLamp}, request_id(5), kLong + microseconds(500));
  const Verdict verdict = world_.verdict();
  EXPECT_THAT(kinds(verdict), ElementsAre(OffenceKind::kTokenMissed));
  EXPECT_THAT(verdict.text(), HasSubstr("request-5 had written version 5"));
}

// The vase moved before the lamp did, so whoever has the lamp's token sees it.
TEST_F(HistoryCheckerTest, a_token_read_that_misses_what_its_write_saw) {
  world_.write(kVase, 1, 1);
  world_.pass(kLong);
  const std::string token = world_.write(kLamp, 1).request;
  world_.token_read({kVase}, token, kLong + microseconds(1000));
  expect(OffenceKind::kTokenMissed, "vase@main");
}

// Two answers to one client in the wrong order.
TEST_F(HistoryCheckerTest, a_reordered_pair) {
  world_.consistent_read(kLamp, 7);
  const std::string token = world_.write(kVase, 1, 7).request;
  world_.token_read({kLamp}, token, microseconds(100), 7);
  expect_nothing();
  ReadOp& late = world_.token_read({kLamp}, token, kLong + microseconds(3000), 7);
  ASSERT_EQ(late.levels[0].version, 4);
  expect(OffenceKind::kWentBack, "its client had seen more");
}

TEST_F(HistoryCheckerTest, a_consistent_read_that_misses_an_acknowledged_write) {
  for (auto& movement : world_.era.ledger.movements[kLamp]) movement.seen_by.reset();
  ReadOp& read = world_.consistent_read(kLamp);
  const auto& older = world_.era.ledger.movements[kLamp][3];
  read.levels[0] = {.key = kLamp,
                    .exists = true,
                    .version = 4,
                    .counts = older.counts,
                    .as_of = older.committed_at,
                    .true_through = read.levels[0].true_through,
                    .age = read.levels[0].age,
                    .layer = "primary"};
  const Verdict verdict = world_.verdict();
  EXPECT_THAT(kinds(verdict), Contains(OffenceKind::kNotConsistent)) << verdict.text();
  EXPECT_THAT(verdict.text(), HasSubstr("version 5 was visible before it was asked for"));
}

TEST_F(HistoryCheckerTest, a_consistent_read_that_is_older_than_its_request) {
  world_.read({kLamp}, microseconds(400), Asked::kFullyConsistent);
  expect(OffenceKind::kNotConsistent);
}

TEST_F(HistoryCheckerTest, a_past_instant_that_was_otherwise) {
  ReadOp& read = world_.read({kLamp}, kLong + microseconds(500), Asked::kReadTime);
  expect_nothing();
  const auto say = [&](DatabaseTime instant) {
    read.levels[0].age += read.read_time - instant;
    read.age = read.levels[0].age;
    read.read_time = read.levels[0].true_through = instant;
  };
  // Between the commit and its proof either will do.
  const LedgerMovement& fifth = world_.era.ledger.movements[kLamp][4];
  say(fifth.committed_at + microseconds(10));
  expect_nothing();
  say(*fifth.seen_by + microseconds(1));
  expect(OffenceKind::kWrongPast);
  say(world_.era.ledger.movements[kLamp][3].committed_at - microseconds(1));
  read.levels[0].in_transition = true;
  expect(OffenceKind::kWrongPast);
}

TEST_F(HistoryCheckerTest, a_past_answer_that_is_dated_otherwise_than_asked) {
  ReadOp& read = world_.read({kLamp}, kLong + microseconds(500), Asked::kReadTime);
  read.read_time -= microseconds(1);
  expect(OffenceKind::kWrongPast);
}

TEST_F(HistoryCheckerTest, a_transition_that_is_kept_back) {
  world_.move(kLamp, 10);
  world_.pass(microseconds(200));
  ReadOp& read = world_.read({kLamp}, microseconds(100), Asked::kReadTime);
  ASSERT_EQ(read.levels[0].version, 6);
  ASSERT_TRUE(read.levels[0].in_transition);
  expect_nothing();
  read.levels[0].in_transition = false;
  expect(OffenceKind::kWrongTransition);
}

TEST_F(HistoryCheckerTest, a_version_that_is_seen_before_it_is_committed_or_after_now) {
  ReadOp& read = world_.read({kLamp}, kLong + microseconds(500), Asked::kReadTime);
  read.levels[0].seen_by = read.levels[0].as_of;
  expect_nothing();
  read.levels[0].seen_by = *read.levels[0].as_of - microseconds(1);
  expect(OffenceKind::kWrongTransition);
  read.levels[0].seen_by = database(world_.now() + microseconds(1000));
  expect(OffenceKind::kWrongTransition);
}

TEST_F(HistoryCheckerTest, a_version_that_is_denied_and_had_been_seen) {
  ReadOp& read = world_.read({}, microseconds(0), Asked::kVersion);
  read.version_denied = true;
  read.denied = kLamp;
  read.version = 6;
  expect_nothing();
  read.version = 5;
  expect(OffenceKind::kFalselyDenied);
}

TEST_F(HistoryCheckerTest, a_past_version_that_is_another_one) {
  ReadOp& read = world_.read({kLamp}, kLong + microseconds(500), Asked::kVersion);
  read.version = 4;
  expect_nothing();
  read.version = 3;
  expect(OffenceKind::kWrongPast);
}

// ---- Sums

// The lamp is in two places.
class SumCheckerTest : public HistoryCheckerTest {
 protected:
  SumCheckerTest() {
    world_.write(kLampNorth, 7);
    world_.pass(kLong);
  }

  ReadOp& total(std::int64_t on_hand, microseconds old, Asked asked = Asked::kBounded) {
    ReadOp& read = world_.read({}, old, asked);
    read.totals = {{.sku = "lamp",
                    .locations = {"main", "north"},
                    .counts = {.on_hand = on_hand},
                    .available = on_hand,
                    .found = 2,
                    .age = old}};
    return read;
  }
  // 50 are in main, 7 in north.
  ReadOp& cart(std::vector<CartLine> lines) {
    ReadOp& read = world_.read({}, microseconds(0));
    read.cart = std::move(lines);
    read.cart_available = std::ranges::all_of(read.cart, [](auto& l) { return l.shortfall == 0; });
    return read;
  }
  void expect_sum(OffenceKind kind) { expect(kind, "lamp"); }

  const Key kLampNorth{"lamp", "north"};
  const std::vector<std::string> kAnywhere{"main", "north"};
};

TEST_F(SumCheckerTest, a_total_that_no_levels_sum_up_to) {
  ReadOp& read = total(57, microseconds(0));
  expect_nothing();
  read.totals[0].counts.on_hand = 56;
  expect_sum(OffenceKind::kWrongTotal);
}

TEST_F(SumCheckerTest, a_total_of_levels_that_had_been_replaced) {
  total(47, microseconds(0));
  expect_sum(OffenceKind::kWrongTotal);
  world_.history.reads.clear();
  total(47, 2 * kLong + microseconds(1000));
  expect_sum(OffenceKind::kWrongTotal);  // when there were 40 in main there was nothing in north
  world_.history.reads.back().totals[0].mixed = true;
  expect_nothing();
}

TEST_F(SumCheckerTest, a_total_with_what_is_available_or_found_miscounted) {
  ReadOp& read = total(57, microseconds(0));
  read.totals[0].available = 58;
  expect_sum(OffenceKind::kWrongTotal);
  read.totals[0].available = 57;
  read.totals[0].found = 1;
  expect_sum(OffenceKind::kWrongTotal);
}

TEST_F(SumCheckerTest, a_total_of_the_past) {
  ReadOp& read = total(40, 2 * kLong + microseconds(1000), Asked::kReadTime);
  read.totals[0].found = 1;
  expect_nothing();
  read.totals[0].counts.on_hand = read.totals[0].available = 50;
  expect_sum(OffenceKind::kWrongTotal);
}

TEST_F(SumCheckerTest, a_total_that_misses_what_it_was_to_show) {
  ReadOp& read = total(47, 2 * kLong + microseconds(1000), Asked::kAtLeast);
  read.totals[0].mixed = true;
  read.token_of = request_id(4);
  expect_nothing();
  read.token_of = request_id(5);
  expect_sum(OffenceKind::kWrongTotal);
  total(47, 2 * kLong + microseconds(1000), Asked::kFullyConsistent).totals[0].mixed = true;
  EXPECT_THAT(kinds(world_.verdict()),
              ElementsAre(OffenceKind::kWrongTotal, OffenceKind::kWrongTotal));
}

TEST_F(SumCheckerTest, a_total_that_is_older_than_asked_for_or_than_its_answer) {
  ReadOp& read = total(57, microseconds(3000));
  read.bound = microseconds(3039);
  expect(OffenceKind::kBoundExceeded, "3000 us");
  read.bound = microseconds(3040);
  read.age = microseconds(2999);
  expect(OffenceKind::kAgeTooSmall, "oldest part");
}

TEST_F(SumCheckerTest, carts_whose_lines_compete) {
  cart({{"lamp", kAnywhere, 55, true, 57, 0}, {"lamp", {"north"}, 4, true, 2, 2}});
  expect_nothing();
  cart({{"lamp", {"north"}, 4, true, 7, 0}, {"lamp", {"north"}, 4, true, 7, 0}});
  expect_sum(OffenceKind::kWrongAvailability);
}

TEST_F(SumCheckerTest, a_cart_that_is_promised_what_there_is_not) {
  cart({{"lamp", {"main"}, 51, true, 51, 0}});
  expect_sum(OffenceKind::kWrongAvailability);
}

TEST_F(SumCheckerTest, a_cart_that_is_refused_what_there_is) {
  cart({{"lamp", {"main"}, 50, true, 49, 1}});
  expect_sum(OffenceKind::kWrongAvailability);
}

TEST_F(SumCheckerTest, a_cart_that_is_called_available_and_lacks_something) {
  cart({{"lamp", {"main"}, 51, true, 50, 1}}).cart_available = true;
  expect(OffenceKind::kWrongAvailability, "the lines say otherwise");
}

TEST_F(SumCheckerTest, a_line_that_is_found_where_nothing_ever_was) {
  cart({{"vase", {"main"}, 1, false, 0, 1}});
  expect_nothing();
  world_.history.reads.back().cart[0].found = true;
  expect(OffenceKind::kWrongAvailability, "vase");
}

TEST_F(HistoryCheckerTest, a_lost_write) {
  world_.era.ledger.requests.erase(request_id(3));
  expect(OffenceKind::kLostWrite, "request-3");
}

TEST_F(HistoryCheckerTest, a_write_that_was_applied_twice) {
  world_.move(kLamp, 10, "");
  world_.era.ledger.movements[kLamp].back().request = request_id(5);
  const Verdict verdict = world_.verdict();
  EXPECT_THAT(kinds(verdict), ElementsAre(OffenceKind::kAppliedTwice, OffenceKind::kAppliedTwice));
}

TEST_F(HistoryCheckerTest, two_answers_that_each_applied_one_request) {
  WriteOp again = world_.history.writes.back();
  world_.history.writes.push_back(again);
  expect(OffenceKind::kAppliedTwice, "request-5");
  world_.history.writes.back().replayed = true;
  expect_nothing();
}

TEST_F(HistoryCheckerTest, a_refused_write_that_was_applied) {
  world_.history.writes[2].fate = Fate::kRefused;
  expect(OffenceKind::kRefusedApplied, "request-3");
  world_.history.writes[2].fate = Fate::kUnknown;
  expect_nothing();
}

TEST_F(HistoryCheckerTest, an_answer_to_a_write_that_is_not_what_it_did) {
  world_.history.writes[2].levels[0].counts.on_hand = 31;
  expect(OffenceKind::kWrongAnswer);
  world_.history.writes[2].levels[0].counts.on_hand = 30;
  world_.history.writes[2].deltas[kLamp] = 9;
  expect(OffenceKind::kWrongAnswer, "+9");
}

TEST_F(HistoryCheckerTest, a_ledger_that_skips_a_version) {
  world_.era.ledger.movements[kVase].push_back({.version = 2, .exists = true});
  expect(OffenceKind::kBrokenLedger, "vase@main");
}

TEST_F(HistoryCheckerTest, a_write_that_is_called_lost_and_is_there) {
  ReadOp& read = world_.token_read({kLamp}, request_id(5), microseconds(0));
  read.levels.clear();
  read.write_lost = true;
  expect(OffenceKind::kFalselyLost, "request-5");
  world_.era.ledger.requests.erase(request_id(5));
  expect(OffenceKind::kLostWrite, "request-5");
}

// The fifth version was lost with its primary, and made again with other counts.
class AfterFailover : public HistoryCheckerTest {
 protected:
  AfterFailover() {
    first_ = world_.era;
    first_.ended = local(world_.now());
    world_.pass(kLong);
    world_.era.ledger.movements[kLamp].pop_back();
    world_.era.ledger.requests.erase(request_id(5));
  }
  Verdict verdict() { return check_history(world_.history, {first_, world_.era}); }

  Era first_;
};

TEST_F(AfterFailover, what_was_acknowledged_before_may_be_lost_and_nothing_else) {
  EXPECT_EQ(verdict().offences_total, 0u) << verdict().text();
  EXPECT_EQ(world_.verdict().offences_total, 1u) << "one era holds everything";
  world_.write(kLamp, 7);
  EXPECT_EQ(verdict().offences_total, 0u) << verdict().text();
  world_.era.ledger.requests.erase(request_id(6));
  EXPECT_THAT(kinds(verdict()), ElementsAre(OffenceKind::kLostWrite));
}

TEST_F(AfterFailover, what_was_true_before_may_be_said_with_its_date) {
  ReadOp& read = world_.read({kLamp}, kLong + microseconds(500));
  const LedgerMovement& lost = first_.ledger.movements[kLamp][4];
  read.levels[0].version = lost.version;
  read.levels[0].counts = lost.counts;
  read.levels[0].as_of = lost.committed_at;
  EXPECT_EQ(verdict().offences_total, 0u) << verdict().text();
  read.levels[0].true_through += microseconds(1000);
  EXPECT_THAT(kinds(verdict()), ElementsAre(OffenceKind::kNoSuchVersion));
}

TEST_F(AfterFailover, a_token_of_a_lost_write_is_not_answered) {
  world_.write(kLamp, 7);
  world_.token_read({kLamp}, request_id(5), microseconds(0));
  EXPECT_THAT(kinds(verdict()), ElementsAre(OffenceKind::kTokenMissed)) << verdict().text();
}

// Its first answer proves nothing of the second time: in between there was no such version.
TEST_F(AfterFailover, a_lost_write_that_is_repeated_was_not_there_before) {
  world_.consistent_read(kLamp);
  WriteOp again = world_.history.writes.back();
  ASSERT_EQ(again.request, request_id(5));
  again.sent = local(world_.now());
  world_.move(kLamp, 10, again.request);
  world_.pass(microseconds(200));
  again.received = local(world_.now());
  const LedgerMovement& made = world_.era.ledger.movements[kLamp].back();
  again.levels = {{kLamp, made.version, made.counts}};
  world_.history.writes.push_back(again);
  world_.consistent_read(kLamp);
  EXPECT_EQ(verdict().offences_total, 0u) << verdict().text();
}

// A small simulator of a service that never lies: whatever the order, nobody is accused.
TEST(HistoryCheckerRandom, true_histories_have_no_offence) {
  for (unsigned seed = 1; seed <= 40; ++seed) {
    std::mt19937 chance(seed);
    const auto pick = [&](int n) { return std::uniform_int_distribution<int>(0, n - 1)(chance); };
    World world;
    const std::vector<Key> keys = {{"a", "main"}, {"b", "main"}, {"c", "north"}};
    std::vector<std::pair<std::string, microseconds>> tokens;
    for (int step = 0; step < 400; ++step) {
      const Key& key = keys[static_cast<std::size_t>(pick(3))];
      const int client = pick(4);
      const microseconds old(pick(3000));
      switch (pick(6)) {
        case 0:
          tokens.emplace_back(world.write(key, 1 + pick(5), client).request, world.now());
          break;
        case 1:
          world.move(key, pick(9));
          break;
        case 2:
          world.consistent_read(key, client);
          break;
        case 3:
          if (!tokens.empty()) {
            const auto& [token, since] =
                tokens[static_cast<std::size_t>(pick(static_cast<int>(tokens.size())))];
            world.token_read(keys, token, std::clamp(world.now() - since, microseconds(0), old),
                             client);
          }
          break;
        case 4:
          world.read({key}, old, Asked::kReadTime, client);
          break;
        default:
          world.read(keys, old, Asked::kBounded, client);
      }
      world.pass(microseconds(pick(2000)));
    }
    const Verdict verdict = world.verdict();
    EXPECT_EQ(verdict.offences_total, 0u) << "seed " << seed << ": " << verdict.text();
    EXPECT_GT(verdict.claims, 2000u);
  }
}

// And one copy that is passed off as younger than it is, anywhere, is found.
TEST(HistoryCheckerRandom, one_rejuvenated_copy_is_found) {
  for (unsigned seed = 1; seed <= 40; ++seed) {
    std::mt19937 chance(seed);
    World world;
    for (int step = 0; step < 100; ++step) {
      world.write(kLamp, 1);
      world.pass(microseconds(1000 + chance() % 2000));
      world.read({kLamp}, microseconds(chance() % 500));
    }
    ReadOp& read = world.history.reads[50 + chance() % 50];
    const Statement now = read.levels[0];
    read.levels[0] = world.history.reads[10 + chance() % 30].levels[0];
    read.levels[0].true_through = now.true_through;
    read.levels[0].age = now.age;
    EXPECT_THAT(kinds(world.verdict()), Contains(OffenceKind::kStaleClaim));
  }
}

TEST(ClockBoundsTest, what_nobody_measured_convicts_nobody) {
  const ClockBounds bounds({});
  EXPECT_LT(bounds.earliest(local(microseconds(0))), database(microseconds(0)));
  EXPECT_GT(bounds.latest(local(microseconds(0))), database(microseconds(0)));
}

TEST(ClockBoundsTest, the_best_sample_nearby_decides_and_time_widens_it) {
  const ClockBounds bounds(
      {{local(microseconds(0)), database(microseconds(500)), local(microseconds(1000))},
       {local(microseconds(1000)), database(microseconds(1005)), local(microseconds(1010))}});
  const LocalTime at = local(microseconds(2000));
  EXPECT_GE(bounds.earliest(at), database(microseconds(1993)));
  EXPECT_LE(bounds.earliest(at), database(microseconds(1995)));
  EXPECT_GE(bounds.latest(at), database(microseconds(2006)));
  EXPECT_LE(bounds.latest(at), database(microseconds(2008)));
  const LocalTime much_later = at + std::chrono::seconds(10);
  EXPECT_LE(bounds.earliest(much_later), database(microseconds(10'002'000 - 1900)));
}

TEST(ClockBoundsTest, a_clock_that_was_set_is_anything_between) {
  const ClockBounds bounds(
      {{local(microseconds(0)), database(microseconds(5)), local(microseconds(10))},
       {local(microseconds(1000)), database(microseconds(501'005)), local(microseconds(1010))}});
  EXPECT_LE(bounds.earliest(local(microseconds(500))), database(microseconds(500)));
  EXPECT_GE(bounds.latest(local(microseconds(500))), database(microseconds(500'500)));
}

}  // namespace
}  // namespace stock::support
