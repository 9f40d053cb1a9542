#include "stock/postgres/plan_parameters.h"

#include <array>
#include <map>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "stock/postgres/array_literal.h"
#include "stock/postgres/sql.h"

namespace stock::postgres {
namespace {

using ledger::PlannedMovement;

void add(ArrayLiteral& row, const domain::Counts& counts) {
  row.add(counts.on_hand);
  row.add(counts.reserved);
  row.add(counts.committed);
  row.add(counts.safety_stock);
  row.add(counts.backorder_limit);
}

// Columns of the same five counts.
class CountColumns {
 public:
  void add(const domain::Counts& counts) {
    columns_[0].add(counts.on_hand);
    columns_[1].add(counts.reserved);
    columns_[2].add(counts.committed);
    columns_[3].add(counts.safety_stock);
    columns_[4].add(counts.backorder_limit);
  }
  void take(std::vector<std::string>& into) {
    for (ArrayLiteral& column : columns_) into.push_back(column.take());
  }

 private:
  std::array<ArrayLiteral, 5> columns_;
};

std::int64_t micros(domain::DatabaseTime instant) { return instant.time_since_epoch().count(); }

// What is known of a key when all its movements have been seen.
struct Fate {
  domain::Version last = 0;
  bool created = false;
};

std::string hex(const ledger::Digest& digest) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : digest) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

// What a movement says of its origin.
struct Origin {
  std::string reason, reference, actor, request, reservation;
};

Origin origin(const ledger::Plan& plan, const PlannedMovement& movement) {
  Origin origin;
  if (movement.request) {
    const ledger::Request& request = *plan.applied[*movement.request];
    origin = {
        request.reason, request.reference, request.actor, domain::format_uuid(request.id), {}};
  }
  if (movement.reservation) origin.reservation = domain::format_uuid(*movement.reservation);
  return origin;
}

std::int64_t expiry(const PlannedMovement& movement) {
  return movement.earliest_expiry ? micros(*movement.earliest_expiry) : 0;
}

std::vector<std::string> single_move(const ledger::Plan& plan, const PlannedMovement& movement) {
  const Origin its = origin(plan, movement);
  ArrayLiteral texts, numbers;
  for (const std::string_view text :
       {std::string_view(movement.key.sku), std::string_view(movement.key.location),
        domain::kind_name(movement.kind), std::string_view(its.reason),
        std::string_view(its.reference), std::string_view(its.actor), std::string_view(its.request),
        std::string_view(its.reservation)}) {
    texts.add(text);
  }
  numbers.add(movement.version);
  numbers.add(expiry(movement));
  add(numbers, domain::difference(movement.after, movement.before));
  add(numbers, movement.after);
  return {texts.take(), numbers.take()};
}

// The lines of a reservation, one array for each of their parts.
struct Lines {
  explicit Lines(const domain::Reservation& reservation) {
    for (const domain::ReservationLine& line : reservation.lines) {
      skus.add(line.key.sku);
      locations.add(line.key.location);
      quantities.add(line.quantity);
      fulfilled.add(line.fulfilled);
      expired.add(line.expired ? std::string_view("t") : std::string_view("f"));
    }
  }
  ArrayLiteral skus, locations, quantities, fulfilled, expired;
};

std::vector<std::string> single_reservation(const ledger::PlannedReservation& planned) {
  const domain::Reservation& reservation = planned.reservation;
  Lines its(reservation);
  ArrayLiteral texts, numbers;
  for (const std::string& text :
       {domain::format_uuid(reservation.id), std::string(domain::state_name(reservation.state)),
        its.skus.take(), its.locations.take(), its.quantities.take(), its.fulfilled.take(),
        its.expired.take(), hex(planned.digest), reservation.reference, reservation.actor}) {
    texts.add(text);
  }
  for (const std::int64_t number :
       {reservation.revision, micros(reservation.updated_at), micros(reservation.expire_at)}) {
    numbers.add(number);
  }
  return {texts.take(), numbers.take()};
}

std::vector<std::string> reservation_columns(
    const std::vector<const ledger::PlannedReservation*>& planned) {
  ArrayLiteral ids, states, revisions, updates, expiries, skus, locations, quantities, fulfilled,
      expired, digests, references, actors;
  for (const ledger::PlannedReservation* its : planned) {
    const domain::Reservation& reservation = its->reservation;
    ids.add(domain::format_uuid(reservation.id));
    states.add(domain::state_name(reservation.state));
    revisions.add(reservation.revision);
    updates.add(micros(reservation.updated_at));
    expiries.add(micros(reservation.expire_at));
    Lines lines(reservation);
    skus.add(lines.skus.take());
    locations.add(lines.locations.take());
    quantities.add(lines.quantities.take());
    fulfilled.add(lines.fulfilled.take());
    expired.add(lines.expired.take());
    digests.add(its->created ? hex(its->digest) : std::string());
    references.add(reservation.reference);
    actors.add(reservation.actor);
  }
  return {ids.take(),     states.take(),     revisions.take(),  updates.take(),   expiries.take(),
          skus.take(),    locations.take(),  quantities.take(), fulfilled.take(), expired.take(),
          digests.take(), references.take(), actors.take()};
}

std::vector<const ledger::PlannedReservation*> reservations_of(const ledger::Plan& plan,
                                                               bool created) {
  std::vector<const ledger::PlannedReservation*> its;
  for (const ledger::PlannedReservation& planned : plan.reservations) {
    if (planned.created == created) its.push_back(&planned);
  }
  return its;
}

}  // namespace

std::optional<Step> move_step(const ledger::Plan& plan) {
  if (plan.movements.empty()) return std::nullopt;
  if (plan.movements.size() == 1 && !plan.movements.front().creates_level) {
    return Step(sql::move_one(), single_move(plan, plan.movements.front()));
  }
  absl::flat_hash_map<domain::Key, Fate> fates;
  for (const PlannedMovement& movement : plan.movements) {
    Fate& fate = fates[movement.key];
    fate.last = movement.version;
    fate.created |= movement.creates_level;
  }

  std::int64_t updated = 0;
  std::int64_t created = 0;
  ArrayLiteral skus, locations, versions, effects, kinds, reasons, references, actors, requests,
      reservations, expiries;
  CountColumns deltas, afters;
  for (const PlannedMovement& movement : plan.movements) {
    const Fate& fate = fates[movement.key];
    sql::Effect effect = sql::Effect::kNone;
    if (movement.version == fate.last) {
      effect = fate.created ? sql::Effect::kCreates : sql::Effect::kUpdates;
      ++(fate.created ? created : updated);
    }
    skus.add(movement.key.sku);
    locations.add(movement.key.location);
    versions.add(movement.version);
    effects.add(static_cast<std::int64_t>(effect));
    kinds.add(domain::kind_name(movement.kind));
    const Origin its = origin(plan, movement);
    reasons.add(its.reason);
    references.add(its.reference);
    actors.add(its.actor);
    requests.add(its.request);
    reservations.add(its.reservation);
    expiries.add(expiry(movement));
    deltas.add(domain::difference(movement.after, movement.before));
    afters.add(movement.after);
  }
  std::vector<std::string> columns = {skus.take(),         locations.take(), versions.take(),
                                      effects.take(),      kinds.take(),     reasons.take(),
                                      references.take(),   actors.take(),    requests.take(),
                                      reservations.take(), expiries.take()};
  deltas.take(columns);
  afters.take(columns);
  columns.push_back(std::to_string(plan.movements.size()));
  columns.push_back(std::to_string(updated));
  if (created == 0) return Step(sql::move(), std::move(columns));
  columns.push_back(std::to_string(created));
  return Step(sql::move_and_create(), std::move(columns));
}

// A request is remembered by the last version that it made of each key; one that made a
// reservation, by that.
std::optional<Step> remember_step(const ledger::Plan& plan) {
  std::vector<std::map<domain::Key, domain::Version>> made(plan.applied.size());
  for (const PlannedMovement& movement : plan.movements) {
    if (!movement.request || !plan.applied[*movement.request]->remembered_as_request()) continue;
    made[*movement.request][movement.key] = movement.version;
  }

  ArrayLiteral ids, digests, skus, locations, versions;
  bool any = false;
  for (std::size_t i = 0; i < plan.applied.size(); ++i) {
    const ledger::Request& request = *plan.applied[i];
    if (!request.remembered_as_request()) continue;
    any = true;
    ids.add(domain::format_uuid(request.id));
    digests.add(hex(request.digest));
    ArrayLiteral its_skus, its_locations, its_versions;
    for (const auto& [key, version] : made[i]) {
      its_skus.add(key.sku);
      its_locations.add(key.location);
      its_versions.add(version);
    }
    skus.add(its_skus.take());
    locations.add(its_locations.take());
    versions.add(its_versions.take());
  }
  if (!any) return std::nullopt;
  return Step(sql::remember(),
              {ids.take(), digests.take(), skus.take(), locations.take(), versions.take()});
}

std::optional<Step> create_step(const ledger::Plan& plan) {
  const auto created = reservations_of(plan, true);
  if (created.empty()) return std::nullopt;
  if (created.size() == 1) {
    return Step(sql::insert_reservation(), single_reservation(*created.front()));
  }
  return Step(sql::insert_reservations(), reservation_columns(created));
}

std::optional<Step> update_step(const ledger::Plan& plan) {
  const auto updated = reservations_of(plan, false);
  if (updated.empty()) return std::nullopt;
  std::vector<std::string> columns = reservation_columns(updated);
  columns.push_back(std::to_string(updated.size()));
  return Step(sql::update_reservations(), std::move(columns));
}

std::vector<std::string> lapsed_columns(std::span<const ledger::LapsedLine> lines) {
  ArrayLiteral ids, skus, locations;
  for (const ledger::LapsedLine& line : lines) {
    ids.add(domain::format_uuid(line.reservation));
    skus.add(line.key.sku);
    locations.add(line.key.location);
  }
  return {ids.take(), skus.take(), locations.take()};
}

}  // namespace stock::postgres
