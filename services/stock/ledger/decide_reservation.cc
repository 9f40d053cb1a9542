#include "stock/ledger/decide_reservation.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>
#include <variant>

#include "stock/ledger/move.h"
#include "stock/ledger/refusals.h"

namespace stock::ledger {
namespace {

using domain::Counts;
using domain::Key;
using domain::MovementKind;
using domain::Reservation;
using domain::ReservationLine;
using domain::ReservationState;

// Holds any sum of int64 that fits into memory.
using Wide = __int128;
using Quantities = std::map<Key, Wide>;

Quantities by_key(const std::vector<Line>& lines) {
  Quantities quantities;
  for (const Line& line : lines) quantities[line.key] += line.quantity;
  return quantities;
}

// What the counts become by units that somebody may have taken away already.
std::int64_t less(std::int64_t count, std::int64_t units) {
  return std::max<std::int64_t>(count - units, 0);
}

Refusal refuse(Reason reason, std::string message) {
  return {.reason = reason, .message = std::move(message), .lines = {}};
}

// One action on one reservation.
class Decision {
 public:
  Decision(const Request& request, Books& books, std::size_t index,
           std::vector<PlannedMovement>& movements, std::vector<Written>& written)
      : request_(request),
        action_(*request.action),
        books_(books),
        index_(index),
        movements_(movements),
        written_(written) {}

  std::optional<Refusal> operator()(const Reserve& reserve);
  std::optional<Refusal> operator()(const Update& update);
  std::optional<Refusal> operator()(const Commit&);
  std::optional<Refusal> operator()(const Release&);
  std::optional<Refusal> operator()(const Fulfill& fulfill);
  std::optional<Refusal> operator()(const Expire&);

 private:
  // The reservation, if it is there and as the caller expects; else `refusal` says why not.
  Reservation* find(std::optional<Refusal>& refusal);
  // The same, of a live hold.
  Reservation* find_hold(std::optional<Refusal>& refusal);
  Refusal in_another_state(const Reservation& reservation, std::string_view verb) const;
  // Whether `units` more can be held; else the fault is filed.
  bool can_hold(const Key& key, Wide units, Faults& faults) const;
  void move(const Key& key, const Counts& after, MovementKind kind);
  // `units` more (or less) are held, those of this reservation until then.
  void hold(const Key& key, std::int64_t units, std::optional<domain::DatabaseTime> until,
            MovementKind kind);
  void changed(Reservation& reservation, ReservationState state);

  LockedLevel& level(const Key& key) { return books_.levels.at(key); }
  [[nodiscard]] const LockedLevel& level(const Key& key) const { return books_.levels.at(key); }

  const Request& request_;
  const Action& action_;
  Books& books_;
  const std::size_t index_;
  std::vector<PlannedMovement>& movements_;
  std::vector<Written>& written_;
};

Reservation* Decision::find(std::optional<Refusal>& refusal) {
  const auto it = books_.reservations.find(action_.reservation);
  if (it == books_.reservations.end()) {
    refusal = refuse(Reason::kReservationNotFound,
                     "there is no reservation " + domain::format_uuid(action_.reservation));
    return nullptr;
  }
  if (action_.expected_revision && *action_.expected_revision != it->second.revision) {
    refusal =
        refuse(Reason::kCompareFailed,
               fmt::format("the reservation was changed since: its etag is {}, it was to be {}",
                           it->second.revision, *action_.expected_revision));
    return nullptr;
  }
  return &it->second;
}

Reservation* Decision::find_hold(std::optional<Refusal>& refusal) {
  Reservation* reservation = find(refusal);
  if (reservation == nullptr) return nullptr;
  if (reservation->state == ReservationState::kExpired || reservation->ended(books_.now)) {
    refusal = refuse(Reason::kReservationExpired, "the hold has ended; reserve anew");
    return nullptr;
  }
  return reservation;
}

Refusal Decision::in_another_state(const Reservation& reservation, std::string_view verb) const {
  return refuse(Reason::kReservationState,
                fmt::format("a reservation that is {} cannot be {}",
                            domain::state_name(reservation.state), verb));
}

bool Decision::can_hold(const Key& key, Wide units, Faults& faults) const {
  const LockedLevel& level = this->level(key);
  if (!level.exists && !level.location_exists) {
    faults.add(key, {.reason = Reason::kLocationNotFound, .message = "there is no such location"});
    return false;
  }
  const std::int64_t sellable = level.counts.sellable();
  if (units > sellable) {
    const auto shortfall = static_cast<std::int64_t>(units - sellable);
    faults.add(key, {.reason = Reason::kInsufficientStock,
                     .message = fmt::format("{} can be sold (version {}); {} too few", sellable,
                                            level.version, shortfall),
                     .shortfall = shortfall});
    return false;
  }
  if (level.counts.reserved + units > domain::kMaxCount) {
    faults.add(key,
               {.reason = Reason::kCountOutOfRange,
                .message = fmt::format("reserved must be between 0 and {}", domain::kMaxCount)});
    return false;
  }
  return true;
}

void Decision::move(const Key& key, const Counts& after, MovementKind kind) {
  LockedLevel& level = this->level(key);
  ledger::move(key, level, after,
               {.kind = kind, .request = index_, .reservation = action_.reservation}, movements_);
  written_.push_back({key, after, level.version});
}

void Decision::hold(const Key& key, std::int64_t units, std::optional<domain::DatabaseTime> until,
                    MovementKind kind) {
  LockedLevel& level = this->level(key);
  auto& bound = level.earliest_expiry;
  if (until && (!bound || *until < *bound)) bound = until;
  Counts after = level.counts;
  after.reserved = units < 0 ? less(after.reserved, -units) : after.reserved + units;
  move(key, after, kind);
}

void Decision::changed(Reservation& reservation, ReservationState state) {
  reservation.state = state;
  reservation.revision += 1;
  reservation.updated_at = books_.now;
}

std::optional<Refusal> Decision::operator()(const Reserve& reserve) {
  Quantities wanted = by_key(reserve.lines);
  // While more is coming back, what there is is not known.
  const bool allow_partial = reserve.allow_partial && !books_.due.truncated;
  Faults faults;
  for (auto it = wanted.begin(); it != wanted.end();) {
    Faults of_this;
    if (can_hold(it->first, it->second, of_this)) {
      ++it;
      continue;
    }
    std::optional<Refusal> refusal = of_this.take();
    const bool short_of_some = refusal->reason == Reason::kInsufficientStock;
    faults.add(it->first, {.reason = refusal->reason,
                           .message = std::move(refusal->lines.front().message),
                           .shortfall = refusal->lines.front().shortfall});
    if (short_of_some && allow_partial) {
      const Counts& counts = level(it->first).counts;
      it->second = std::min(counts.sellable(), domain::kMaxCount - counts.reserved);
    }
    it = it->second == 0 ? wanted.erase(it) : std::next(it);
  }
  std::optional<Refusal> refusal = faults.take();
  if (refusal &&
      (!allow_partial || refusal->reason != Reason::kInsufficientStock || wanted.empty())) {
    return refusal;
  }
  Reservation& reservation = books_.reservations[action_.reservation];
  reservation = {.id = action_.reservation,
                 .revision = 0,
                 .created_at = books_.now,
                 .updated_at = {},
                 .expire_at = books_.now + reserve.ttl,
                 .reference = request_.reference,
                 .actor = request_.actor,
                 .lines = {}};
  for (const auto& [key, units] : wanted) {
    const auto quantity = static_cast<std::int64_t>(units);
    hold(key, quantity, reservation.expire_at, MovementKind::kReserve);
    reservation.lines.push_back({.key = key, .quantity = quantity});
  }
  changed(reservation, ReservationState::kHeld);
  return std::nullopt;
}

std::optional<Refusal> Decision::operator()(const Update& update) {
  std::optional<Refusal> refusal;
  Reservation* reservation = find_hold(refusal);
  if (reservation == nullptr) return refusal;
  if (reservation->state != ReservationState::kHeld) {
    return in_another_state(*reservation, "updated");
  }
  Quantities wanted = by_key(update.lines);
  std::map<Key, std::int64_t> held;
  for (const ReservationLine& line : reservation->lines) {
    held[line.key] = line.quantity;
    if (update.lines.empty()) wanted[line.key] = line.quantity;
  }
  Faults faults;
  for (const auto& [key, units] : wanted) {
    const auto own = held.find(key);
    const Wide more = units - (own == held.end() ? 0 : own->second);
    if (more > 0) can_hold(key, more, faults);
  }
  if (faults.any()) return faults.take();

  const domain::DatabaseTime until = update.ttl ? books_.now + *update.ttl : reservation->expire_at;
  std::map<Key, std::int64_t> deltas;
  for (const auto& [key, units] : held) deltas[key] = -units;
  for (const auto& [key, units] : wanted) deltas[key] += static_cast<std::int64_t>(units);
  for (const auto& [key, delta] : deltas) {
    // A hold that is only extended leaves no movement: its levels' counts stay, and so does the
    // instant before which none of their holds ends.
    const auto& bound = level(key).earliest_expiry;
    const bool sooner = wanted.contains(key) && (!bound || until < *bound);
    if (delta == 0 && !sooner) continue;
    hold(key, delta, wanted.contains(key) ? std::optional(until) : std::nullopt,
         MovementKind::kUpdate);
  }
  reservation->expire_at = until;
  reservation->lines.clear();
  for (const auto& [key, units] : wanted) {
    reservation->lines.push_back({.key = key, .quantity = static_cast<std::int64_t>(units)});
  }
  changed(*reservation, ReservationState::kHeld);
  return std::nullopt;
}

std::optional<Refusal> Decision::operator()(const Commit&) {
  std::optional<Refusal> refusal;
  Reservation* reservation = find_hold(refusal);
  if (reservation == nullptr) return refusal;
  if (reservation->state != ReservationState::kHeld) {
    return in_another_state(*reservation, "committed");
  }
  Faults faults;
  for (const ReservationLine& line : reservation->lines) {
    if (level(line.key).counts.committed > domain::kMaxCount - line.quantity) {
      faults.add(line.key,
                 {.reason = Reason::kCountOutOfRange,
                  .message = fmt::format("committed must be between 0 and {}", domain::kMaxCount)});
    }
  }
  if (faults.any()) return faults.take();
  for (const ReservationLine& line : reservation->lines) {
    Counts after = level(line.key).counts;
    after.reserved = less(after.reserved, line.quantity);
    after.committed += line.quantity;
    move(line.key, after, MovementKind::kCommit);
  }
  changed(*reservation, ReservationState::kCommitted);
  return std::nullopt;
}

std::optional<Refusal> Decision::operator()(const Release&) {
  std::optional<Refusal> refusal;
  Reservation* reservation = find_hold(refusal);
  if (reservation == nullptr) return refusal;
  const bool held = reservation->state == ReservationState::kHeld;
  if (!held && reservation->state != ReservationState::kCommitted) {
    return in_another_state(*reservation, "released");
  }
  for (const ReservationLine& line : reservation->lines) {
    const std::int64_t units = line.quantity - line.fulfilled;
    if (units == 0) continue;
    Counts after = level(line.key).counts;
    std::int64_t& count = held ? after.reserved : after.committed;
    count = less(count, units);
    move(line.key, after, MovementKind::kRelease);
  }
  changed(*reservation, ReservationState::kReleased);
  return std::nullopt;
}

std::optional<Refusal> Decision::operator()(const Fulfill& fulfill) {
  std::optional<Refusal> refusal;
  Reservation* reservation = find(refusal);
  if (reservation == nullptr) return refusal;
  if (reservation->state != ReservationState::kCommitted) {
    return in_another_state(*reservation, "fulfilled");
  }
  Quantities shipped = by_key(fulfill.lines);
  std::map<Key, ReservationLine*> lines;
  for (ReservationLine& line : reservation->lines) {
    lines[line.key] = &line;
    const std::int64_t rest = line.quantity - line.fulfilled;
    if (fulfill.lines.empty() && rest > 0) shipped[line.key] = rest;
  }
  Faults faults;
  for (const auto& [key, units] : shipped) {
    const auto line = lines.find(key);
    const std::int64_t rest =
        line == lines.end() ? 0 : line->second->quantity - line->second->fulfilled;
    if (units > rest) {
      faults.add(key,
                 {.reason = Reason::kLineMismatch,
                  .message = fmt::format("{} of the reservation are left to be shipped", rest)});
      continue;
    }
    const std::int64_t on_hand = level(key).counts.on_hand;
    if (units > on_hand) {
      const auto shortfall = static_cast<std::int64_t>(units - on_hand);
      faults.add(key,
                 {.reason = Reason::kInsufficientStock,
                  .message = fmt::format("on_hand is {} (version {}); {} too few to be shipped",
                                         on_hand, level(key).version, shortfall),
                  .shortfall = shortfall});
    }
  }
  if (faults.any()) return faults.take();
  for (const auto& [key, units] : shipped) {
    const auto quantity = static_cast<std::int64_t>(units);
    Counts after = level(key).counts;
    after.on_hand -= quantity;
    after.committed = less(after.committed, quantity);
    move(key, after, MovementKind::kFulfill);
    lines[key]->fulfilled += quantity;
  }
  const bool all =
      std::all_of(reservation->lines.begin(), reservation->lines.end(),
                  [](const ReservationLine& line) { return line.fulfilled == line.quantity; });
  changed(*reservation, all ? ReservationState::kFulfilled : ReservationState::kCommitted);
  return std::nullopt;
}

// The units have gone back already, when the books were opened; this closes a hold that ended line
// by line.
std::optional<Refusal> Decision::operator()(const Expire&) {
  std::optional<Refusal> refusal;
  Reservation* reservation = find(refusal);
  if (reservation == nullptr || !reservation->ended(books_.now)) return refusal;
  const bool all = std::all_of(reservation->lines.begin(), reservation->lines.end(),
                               [](const ReservationLine& line) { return line.expired; });
  if (all) changed(*reservation, ReservationState::kExpired);
  return std::nullopt;
}

}  // namespace

std::optional<Refusal> decide_reservation(const Request& request, Books& books,
                                          std::size_t request_index,
                                          std::vector<PlannedMovement>& movements,
                                          std::vector<Written>& written) {
  return std::visit(Decision(request, books, request_index, movements, written),
                    request.action->what);
}

std::vector<LapsedLine> expire_due(Books& books, std::vector<PlannedMovement>& movements) {
  std::vector<LapsedLine> lapsed;
  // What is due is given back now, so that the next hold to end is a later one.
  if (!books.due.truncated) {
    for (auto& [key, level] : books.levels) {
      if (level.earliest_expiry && *level.earliest_expiry <= books.now) {
        level.earliest_expiry = books.due.next;
      }
    }
  }
  for (const Reservation& due : books.due.reservations) {
    Reservation& reservation = books.reservations.at(due.id);
    std::vector<LapsedLine> lines;
    for (ReservationLine& line : reservation.lines) {
      const auto level = books.levels.find(line.key);
      if (line.expired || level == books.levels.end()) continue;
      line.expired = true;
      if (level->second.exists) {  // else its units are gone with it
        Counts after = level->second.counts;
        after.reserved = less(after.reserved, line.quantity);
        move(line.key, level->second, after,
             {.kind = MovementKind::kExpire, .request = {}, .reservation = reservation.id},
             movements);
      }
      lines.push_back({reservation.id, line.key});
    }
    const bool all = std::all_of(reservation.lines.begin(), reservation.lines.end(),
                                 [](const ReservationLine& line) { return line.expired; });
    if (all) {
      reservation.state = ReservationState::kExpired;
      reservation.revision += 1;
      reservation.updated_at = books.now;
    } else {
      lapsed.insert(lapsed.end(), lines.begin(), lines.end());
    }
  }
  return lapsed;
}

}  // namespace stock::ledger
