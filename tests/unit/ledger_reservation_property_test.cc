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
using domain::ReservationState;
using domain::Uuid;
using std::chrono::seconds;
using ::testing::SizeIs;

constexpr DatabaseTime kNow{std::chrono::hours(1000)};

Uuid uuid(int number) {
  Uuid id{};
  id[14] = static_cast<std::uint8_t>(number >> 8);
  id[15] = static_cast<std::uint8_t>(number);
  return id;
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
