#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <random>
#include <set>
#include <string>

#include "stock/ledger/decide.h"

namespace stock::ledger {
namespace {

using domain::Counts;
using domain::Key;
using domain::kMaxCount;
using domain::MovementKind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr auto kLeast = std::numeric_limits<std::int64_t>::min();
constexpr auto kMost = std::numeric_limits<std::int64_t>::max();

const Key kTea{"TEA", "berlin"};
const Key kCoffee{"COFFEE", "berlin"};
const Key kNowhere{"TEA", "atlantis"};

Set counted(const Key& key, std::int64_t on_hand) {
  Set set;
  set.key = key;
  set.on_hand = on_hand;
  return set;
}
Set with_safety_stock(Set set, std::int64_t units) {
  set.safety_stock = units;
  return set;
}
Set if_on_hand(std::int64_t expected, Set set) {
  set.expected_on_hand = expected;
  return set;
}
Set if_version(domain::Version expected, Set set) {
  set.expected_version = expected;
  return set;
}

LockedLevel level_of(const Counts& counts, domain::Version version) {
  return {.exists = true, .counts = counts, .version = version};
}
LockedLevel tombstone(domain::Version version) {
  LockedLevel level;
  level.version = version;
  return level;
}
LockedLevel without_location() {
  LockedLevel level;
  level.location_exists = false;
  return level;
}

class Decide : public ::testing::Test {
 protected:
  Decide() {
    levels[kTea] = level_of({.on_hand = 10}, 3);
    levels[kCoffee] = {};
    levels[kNowhere] = without_location();
  }

  std::optional<Refusal> decide(std::vector<Change> changes,
                                MovementKind kind = MovementKind::kAdjust) {
    Request request;
    request.kind = kind;
    request.changes = std::move(changes);
    return ledger::decide(request, levels, 7, movements, written);
  }
  std::optional<Refusal> set(Set set) { return decide({std::move(set)}, MovementKind::kSet); }

  LockedLevels levels;
  std::vector<PlannedMovement> movements;
  std::vector<Written> written;
};

TEST_F(Decide, an_adjustment_moves_the_level_and_the_next_request_sees_it) {
  EXPECT_FALSE(decide({Adjust{kTea, -4}}));
  EXPECT_FALSE(decide({Adjust{kTea, -6}}));
  ASSERT_THAT(movements, SizeIs(2));
  EXPECT_EQ(movements[0].version, 4);
  EXPECT_EQ(movements[0].before.on_hand, 10);
  EXPECT_EQ(movements[0].after.on_hand, 6);
  EXPECT_EQ(movements[0].request, 7u);
  EXPECT_FALSE(movements[0].creates_level);
  EXPECT_EQ(movements[1].version, 5);
  EXPECT_EQ(movements[1].before.on_hand, 6);
  EXPECT_EQ(written[1].version, 5);
  EXPECT_EQ(levels[kTea].counts.on_hand, 0);
}

TEST_F(Decide, lines_on_one_key_are_judged_by_their_sum) {
  EXPECT_FALSE(decide({Adjust{kTea, -30}, Adjust{kTea, 25}}));
  ASSERT_THAT(movements, SizeIs(1));
  EXPECT_EQ(movements[0].after.on_hand, 5);
}

TEST_F(Decide, a_sum_is_exact_where_int64_overflows) {
  EXPECT_FALSE(decide({Adjust{kTea, kMost}, Adjust{kTea, kMost}, Adjust{kTea, -kMost},
                       Adjust{kTea, -kMost}, Adjust{kTea, 1}}));
  EXPECT_EQ(levels[kTea].counts.on_hand, 11);
}

TEST_F(Decide, a_shortfall_beyond_int64_is_as_large_as_can_be) {
  const auto refusal = decide({Adjust{kTea, kLeast}, Adjust{kTea, kLeast}});
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->lines[0].shortfall, kMost);
}

TEST_F(Decide, what_is_promised_stays) {
  levels[kTea].counts = {.on_hand = 10, .reserved = 3, .committed = 4};
  EXPECT_FALSE(decide({Adjust{kTea, -3}}));
  const auto refusal = decide({Adjust{kTea, -1}});
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->reason, Reason::kInsufficientStock);
  ASSERT_THAT(refusal->lines, SizeIs(1));
  EXPECT_EQ(refusal->lines[0].key, kTea);
  EXPECT_EQ(refusal->lines[0].shortfall, 1);
  EXPECT_EQ(refusal->message, "TEA at berlin: on_hand is 7 (version 4), 7 promised; 1 too few");
}

TEST_F(Decide, an_increase_is_welcome_even_when_too_small) {
  levels[kTea].counts = {.on_hand = 1, .committed = 9};
  EXPECT_FALSE(decide({Adjust{kTea, 2}}));
  EXPECT_EQ(levels[kTea].counts.on_hand, 3);
}

TEST_F(Decide, a_sum_of_zero_is_an_entry_even_below_what_is_promised) {
  levels[kTea].counts = {.on_hand = 1, .committed = 9};
  EXPECT_FALSE(decide({Adjust{kTea, 2}, Adjust{kTea, -2}}));
  ASSERT_THAT(movements, SizeIs(1));
  EXPECT_EQ(movements[0].version, 4);
  EXPECT_EQ(movements[0].before, movements[0].after);
}

TEST_F(Decide, a_key_without_a_level_gets_one) {
  EXPECT_FALSE(decide({Adjust{kCoffee, 5}}));
  EXPECT_FALSE(decide({Adjust{kCoffee, 1}}));
  ASSERT_THAT(movements, SizeIs(2));
  EXPECT_TRUE(movements[0].creates_level);
  EXPECT_EQ(movements[0].version, 1);
  EXPECT_FALSE(movements[1].creates_level);
  EXPECT_EQ(written[1].counts.on_hand, 6);
}

TEST_F(Decide, a_deleted_level_comes_back_in_the_version_behind_its_tombstone) {
  levels[kCoffee].version = 8;
  EXPECT_FALSE(decide({Adjust{kCoffee, 5}}));
  EXPECT_EQ(movements[0].version, 9);
  EXPECT_TRUE(movements[0].creates_level);
}

TEST_F(Decide, nothing_can_be_taken_from_a_key_without_a_level) {
  const auto refusal = decide({Adjust{kCoffee, -5}});
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->lines[0].shortfall, 5);
  EXPECT_THAT(refusal->message, HasSubstr("there is no level"));
}

TEST_F(Decide, unknown_locations_are_all_named) {
  const Key lemuria{"TEA", "lemuria"};
  levels[lemuria] = without_location();
  const auto refusal =
      decide({Adjust{kNowhere, 1}, Adjust{kTea, -99}, Adjust{lemuria, 1}, Adjust{kCoffee, 1}});
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->reason, Reason::kLocationNotFound);
  ASSERT_THAT(refusal->lines, SizeIs(2));
  EXPECT_EQ(refusal->lines[0].key, kNowhere);
  EXPECT_EQ(refusal->lines[1].key, lemuria);
  EXPECT_EQ(refusal->message, "TEA at atlantis: there is no such location, and 1 more");
}

TEST_F(Decide, a_refusal_changes_nothing_at_all) {
  EXPECT_TRUE(decide({Adjust{kCoffee, 5}, Adjust{kTea, -11}}));
  EXPECT_THAT(movements, IsEmpty());
  EXPECT_THAT(written, IsEmpty());
  EXPECT_FALSE(levels[kCoffee].exists);
  EXPECT_EQ(levels[kTea].version, 3);
}

TEST_F(Decide, counts_stay_in_range) {
  EXPECT_EQ(decide({Adjust{kTea, kMaxCount}})->reason, Reason::kCountOutOfRange);
  EXPECT_FALSE(decide({Adjust{kTea, kMaxCount - 10}}));
  EXPECT_EQ(set(counted(kTea, kMaxCount + 1))->reason, Reason::kCountOutOfRange);
  EXPECT_EQ(set(counted(kTea, -1))->reason, Reason::kCountOutOfRange);
  EXPECT_EQ(set(with_safety_stock(counted(kTea, 1), -1))->reason, Reason::kCountOutOfRange);
}

TEST_F(Decide, a_cycle_count_records_what_is_there_whatever_is_promised) {
  levels[kTea].counts = {.on_hand = 10, .committed = 9, .safety_stock = 2};
  EXPECT_FALSE(set(counted(kTea, 4)));
  EXPECT_EQ(levels[kTea].counts, (Counts{.on_hand = 4, .committed = 9, .safety_stock = 2}));
  EXPECT_FALSE(set(with_safety_stock(counted(kTea, 4), 0)));
  EXPECT_EQ(levels[kTea].counts.safety_stock, 0);
}

TEST_F(Decide, a_count_that_confirms_is_an_entry_and_an_import_that_does_is_not) {
  EXPECT_FALSE(set(counted(kTea, 10)));
  EXPECT_THAT(movements, SizeIs(1));
  EXPECT_FALSE(decide({counted(kTea, 10), counted(kCoffee, 0)}, MovementKind::kImport));
  ASSERT_THAT(movements, SizeIs(2)) << "a level of 0 is something else than none";
  EXPECT_EQ(movements[1].key, kCoffee);
  EXPECT_EQ(written.back().key, kCoffee);
}

TEST_F(Decide, an_expectation_compares_on_hand) {
  EXPECT_FALSE(set(if_on_hand(10, counted(kTea, 9))));
  const auto refusal = set(if_on_hand(10, counted(kTea, 8)));
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->reason, Reason::kCompareFailed);
  EXPECT_EQ(refusal->message, "TEA at berlin: on_hand is 9 (version 4)");
  EXPECT_FALSE(set(if_on_hand(0, counted(kCoffee, 8)))) << "it reads as 0";
}

TEST_F(Decide, an_expectation_compares_the_version) {
  EXPECT_EQ(set(if_version(2, counted(kTea, 9)))->reason, Reason::kCompareFailed);
  EXPECT_EQ(set(if_version(0, counted(kTea, 9)))->reason, Reason::kCompareFailed);
  EXPECT_FALSE(set(if_version(3, counted(kTea, 9))));
}

TEST_F(Decide, version_0_is_expected_of_keys_without_a_level) {
  EXPECT_FALSE(set(if_version(0, counted(kCoffee, 9))));
  levels[kCoffee] = tombstone(5);
  EXPECT_EQ(set(if_version(4, counted(kCoffee, 9)))->message,
            "COFFEE at berlin: there is no level (since version 5)");
  EXPECT_FALSE(set(if_version(0, counted(kCoffee, 9))));
  levels[kCoffee] = tombstone(5);
  EXPECT_FALSE(set(if_version(5, counted(kCoffee, 9))));
}

TEST_F(Decide, the_reason_hardest_to_mend_is_named) {
  levels[kCoffee] = levels[kTea];
  EXPECT_EQ(decide({Adjust{kCoffee, -11}, Adjust{kTea, kMost}})->reason, Reason::kCountOutOfRange);
  EXPECT_EQ(decide({Adjust{kTea, -11}, if_version(1, counted(kCoffee, 0))})->reason,
            Reason::kCompareFailed);
}

TEST_F(Decide, movements_are_in_order_of_key) {
  EXPECT_FALSE(decide({Adjust{kTea, 1}, Adjust{kCoffee, 1}}));
  EXPECT_EQ(written[0].key, kCoffee);
  EXPECT_EQ(written[1].key, kTea);
}

// The same rules once more, written as differently as possible: key by key over and over, no
// staging, everything on copies.
struct Model {
  struct Level {
    bool exists = false;
    Counts counts;
    domain::Version version = 0;
  };
  std::map<Key, Level> levels;
  std::set<std::string> locations;

  struct Result {
    bool refused = false;
    Reason reason{};
    std::map<Key, std::int64_t> lines;  // with the shortfall
    std::map<Key, Level> moved;
  };

  static std::int64_t clamped(__int128 value) {
    return value > kMost ? kMost : static_cast<std::int64_t>(value);
  }

  [[nodiscard]] Result run(const Request& request) const {
    std::map<Reason, std::map<Key, std::int64_t>> faults;
    std::map<Key, Level> moved;
    for (const auto& [key, level] : levels) {
      __int128 on_hand = level.counts.on_hand;
      int adjusts = 0;
      const Set* set = nullptr;
      for (const Change& change : request.changes) {
        if (const auto* a = std::get_if<Adjust>(&change); a != nullptr && a->key == key) {
          on_hand += a->on_hand_delta;
          ++adjusts;
        }
        if (const auto* s = std::get_if<Set>(&change); s != nullptr && s->key == key) set = s;
      }
      if (adjusts == 0 && set == nullptr) continue;
      Level after = level;
      after.exists = true;
      after.version++;
      if (!level.exists && !locations.contains(key.location)) {
        faults[Reason::kLocationNotFound][key] = 0;
      } else if (set != nullptr) {
        after.counts.on_hand = set->on_hand;
        if (set->safety_stock) after.counts.safety_stock = *set->safety_stock;
        if (set->on_hand < 0 || set->on_hand > kMaxCount || after.counts.safety_stock < 0 ||
            after.counts.safety_stock > kMaxCount) {
          faults[Reason::kCountOutOfRange][key] = 0;
        } else if ((set->expected_on_hand && *set->expected_on_hand != level.counts.on_hand) ||
                   (set->expected_version && *set->expected_version != level.version &&
                    (level.exists || *set->expected_version != 0))) {
          faults[Reason::kCompareFailed][key] = 0;
        } else if (request.kind != MovementKind::kImport || !level.exists ||
                   after.counts != level.counts) {
          moved[key] = after;
        }
      } else {
        const __int128 least = level.counts.reserved + level.counts.committed;
        if (on_hand < level.counts.on_hand && on_hand < least) {
          faults[Reason::kInsufficientStock][key] = clamped(least - on_hand);
        } else if (on_hand > kMaxCount) {
          faults[Reason::kCountOutOfRange][key] = 0;
        } else {
          after.counts.on_hand = static_cast<std::int64_t>(on_hand);
          moved[key] = after;
        }
      }
    }
    for (const Reason reason : {Reason::kLocationNotFound, Reason::kCountOutOfRange,
                                Reason::kCompareFailed, Reason::kInsufficientStock}) {
      if (faults.contains(reason)) return {true, reason, faults[reason], {}};
    }
    return {false, {}, {}, moved};
  }
};

class Chance {
 public:
  explicit Chance(unsigned seed) : engine_(seed) {}
  std::int64_t upto(std::int64_t most) {
    return static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(most + 1));
  }
  bool one_in(std::int64_t n) { return upto(n - 1) == 0; }

  // Mostly small, so that requests come to their limits often; now and then at the edges.
  std::int64_t count() {
    if (one_in(40)) return kMaxCount - upto(3);
    return upto(12);
  }
  std::int64_t delta() {
    if (one_in(60)) return one_in(2) ? kMost - upto(2) : kLeast + upto(2);
    if (one_in(30)) return one_in(2) ? kMaxCount : -kMaxCount;
    return upto(16) - 8;
  }

  Request request(const std::vector<Key>& keys) {
    Request request;
    const bool sets = one_in(3);
    request.kind = !sets       ? MovementKind::kAdjust
                   : one_in(2) ? MovementKind::kSet
                               : MovementKind::kImport;
    if (!sets) {
      for (std::int64_t n = upto(4); n >= 0; --n) {
        request.changes.emplace_back(Adjust{keys[upto(std::ssize(keys) - 1)], delta()});
      }
      return request;
    }
    for (const Key& key : keys) {
      if (!one_in(3)) continue;
      Set set = counted(key, one_in(50) ? delta() : count());
      if (one_in(3)) set.safety_stock = one_in(30) ? delta() : count();
      if (one_in(3)) set.expected_on_hand = upto(8);
      if (one_in(3)) set.expected_version = upto(4);
      request.changes.emplace_back(set);
    }
    return request;
  }

 private:
  std::mt19937_64 engine_;
};

#if defined(NDEBUG) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
constexpr int kRequests = 1'000'000;
#else
constexpr int kRequests = 20'000;
#endif

TEST(DecideAtRandom, agrees_with_a_naive_model) {
  const std::vector<Key> keys = {kTea, kCoffee, kNowhere, {"CUP", "berlin"}, {"CUP", "paris"}};
  Chance chance(20240207);
  std::map<Reason, int> refusals;
  int applied = 0;
  for (int done = 0; done < kRequests;) {
    Model model;
    model.locations = {"berlin", "paris"};
    LockedLevels levels;
    for (const Key& key : keys) {
      const bool known = model.locations.contains(key.location);
      Model::Level& level = model.levels[key];
      level.exists = known && !chance.one_in(3);
      level.version = known ? chance.upto(3) + (level.exists ? 1 : 0) : 0;
      if (level.exists) {
        level.counts = {chance.count(), chance.upto(4), chance.upto(4), chance.count(), 0};
      }
      levels[key] = {level.exists, level.counts, level.version, known};
    }
    for (int in_batch = 0; in_batch < 8; ++in_batch, ++done) {
      const Request request = chance.request(keys);
      const Model::Result expected = model.run(request);
      std::vector<PlannedMovement> movements;
      std::vector<Written> written;
      const auto refusal = decide(request, levels, 3, movements, written);
      ASSERT_EQ(refusal.has_value(), expected.refused);
      if (refusal) {
        ++refusals[refusal->reason];
        ASSERT_EQ(refusal->reason, expected.reason);
        std::map<Key, std::int64_t> lines;
        for (const auto& line : refusal->lines) lines[line.key] = line.shortfall;
        ASSERT_EQ(lines, expected.lines);
        ASSERT_EQ(refusal->lines.size(), lines.size());
      }
      applied += expected.refused ? 0 : 1;
      ASSERT_EQ(movements.size(), expected.moved.size());
      ASSERT_EQ(written.size(), expected.moved.size());
      std::size_t i = 0;
      for (const auto& [key, after] : expected.moved) {
        const Model::Level& before = model.levels[key];
        ASSERT_EQ(movements[i].key, key);
        ASSERT_EQ(movements[i].version, after.version);
        ASSERT_EQ(movements[i].before, before.counts);
        ASSERT_EQ(movements[i].after, after.counts);
        ASSERT_EQ(movements[i].creates_level, !before.exists);
        ASSERT_EQ(movements[i].request, 3u);
        ASSERT_EQ(written[i].key, key);
        ASSERT_EQ(written[i].counts, after.counts);
        ASSERT_EQ(written[i].version, after.version);
        ++i;
      }
      for (const auto& [key, after] : expected.moved) model.levels[key] = after;
      for (const auto& [key, level] : model.levels) {
        ASSERT_EQ(levels[key].exists, level.exists);
        ASSERT_EQ(levels[key].counts, level.counts);
        ASSERT_EQ(levels[key].version, level.version);
      }
    }
  }
  // Chance has led everywhere.
  EXPECT_GT(applied, kRequests / 10);
  EXPECT_THAT(refusals, SizeIs(4));
  for (const auto& [reason, n] : refusals) EXPECT_GT(n, kRequests / 200) << reason_name(reason);
}

}  // namespace
}  // namespace stock::ledger
