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

std::vector<std::string> reservation_parameters(const ledger::Plan& plan, bool created) {
  ArrayLiteral ids, states, revisions, updates, expiries, skus, locations, quantities, fulfilled,
      expired, digests, references, actors;
  std::int64_t count = 0;
  for (const auto& [reservation, is_new, digest] : plan.reservations) {
    if (is_new != created) continue;
    ++count;
    ids.add(domain::format_uuid(reservation.id));
    states.add(domain::state_name(reservation.state));
    revisions.add(reservation.revision);
    updates.add(micros(reservation.updated_at));
    expiries.add(micros(reservation.expire_at));
    ArrayLiteral its_skus, its_locations, its_quantities, its_fulfilled, its_expired;
    for (const domain::ReservationLine& line : reservation.lines) {
      its_skus.add(line.key.sku);
      its_locations.add(line.key.location);
      its_quantities.add(line.quantity);
      its_fulfilled.add(line.fulfilled);
      its_expired.add(line.expired ? std::string_view("t") : std::string_view("f"));
    }
    skus.add(its_skus.take());
    locations.add(its_locations.take());
    quantities.add(its_quantities.take());
    fulfilled.add(its_fulfilled.take());
    expired.add(its_expired.take());
    digests.add(created ? hex(digest) : std::string());
    references.add(reservation.reference);
    actors.add(reservation.actor);
  }
  if (count == 0) return {};
  std::vector<std::string> columns = {
      ids.take(),     states.take(),     revisions.take(),  updates.take(),   expiries.take(),
      skus.take(),    locations.take(),  quantities.take(), fulfilled.take(), expired.take(),
      digests.take(), references.take(), actors.take()};
  if (!created) columns.push_back(std::to_string(count));
  return columns;
}

}  // namespace

MoveParameters move_parameters(const ledger::Plan& plan) {
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
    const ledger::Request* request = movement.request ? plan.applied[*movement.request] : nullptr;
    reasons.add(request != nullptr ? request->reason : std::string());
    references.add(request != nullptr ? request->reference : std::string());
    actors.add(request != nullptr ? request->actor : std::string());
    requests.add(request != nullptr ? domain::format_uuid(request->id) : std::string());
    reservations.add(movement.reservation ? domain::format_uuid(*movement.reservation)
                                          : std::string());
    expiries.add(movement.earliest_expiry ? micros(*movement.earliest_expiry) : 0);
    deltas.add(domain::difference(movement.after, movement.before));
    afters.add(movement.after);
  }
  MoveParameters parameters{
      .columns = {skus.take(), locations.take(), versions.take(), effects.take(), kinds.take(),
                  reasons.take(), references.take(), actors.take(), requests.take(),
                  reservations.take(), expiries.take()},
      .created = created > 0};
  deltas.take(parameters.columns);
  afters.take(parameters.columns);
  parameters.columns.push_back(std::to_string(plan.movements.size()));
  parameters.columns.push_back(std::to_string(updated));
  if (parameters.created) parameters.columns.push_back(std::to_string(created));
  return parameters;
}

// A request is remembered by the last version that it made of each key; one that made a
// reservation, by that.
std::vector<std::string> remember_parameters(const ledger::Plan& plan) {
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
  if (!any) return {};
  return {ids.take(), digests.take(), skus.take(), locations.take(), versions.take()};
}

std::vector<std::string> created_parameters(const ledger::Plan& plan) {
  return reservation_parameters(plan, true);
}

std::vector<std::string> updated_parameters(const ledger::Plan& plan) {
  return reservation_parameters(plan, false);
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
