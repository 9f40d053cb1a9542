#include "stock/postgres/persist_parameters.h"

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

}  // namespace

PersistParameters::PersistParameters(std::span<const PlannedMovement> movements,
                                     std::span<const ledger::Request* const> requests) {
  add_movements(movements);
  add_requests(movements, requests);
}

void PersistParameters::add_movements(std::span<const PlannedMovement> movements) {
  absl::flat_hash_map<domain::Key, Fate> fates;
  for (const PlannedMovement& movement : movements) {
    Fate& fate = fates[movement.key];
    fate.last = movement.version;
    fate.created |= movement.creates_level;
  }

  ArrayLiteral requests, skus, locations, versions, effects;
  CountColumns deltas, afters;
  for (const PlannedMovement& movement : movements) {
    const Fate& fate = fates[movement.key];
    sql::Effect effect = sql::Effect::kNone;
    if (movement.version == fate.last) {
      effect = fate.created ? sql::Effect::kCreates : sql::Effect::kUpdates;
      ++(fate.created ? creations_ : updates_);
    }
    requests.add(static_cast<std::int64_t>(movement.request) + 1);
    skus.add(movement.key.sku);
    locations.add(movement.key.location);
    versions.add(movement.version);
    effects.add(static_cast<std::int64_t>(effect));
    deltas.add(domain::difference(movement.after, movement.before));
    afters.add(movement.after);
  }
  columns_ = {requests.take(), skus.take(), locations.take(), versions.take(), effects.take()};
  deltas.take(columns_);
  afters.take(columns_);
}

void PersistParameters::add_requests(std::span<const PlannedMovement> movements,
                                     std::span<const ledger::Request* const> requests) {
  // A request is remembered by the last version that it made of each key.
  std::vector<std::map<domain::Key, domain::Version>> made(requests.size());
  for (const PlannedMovement& movement : movements) {
    made[movement.request][movement.key] = movement.version;
  }

  ArrayLiteral ids, digests, kinds, reasons, references, actors, skus, locations, versions;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const ledger::Request& request = *requests[i];
    ids.add(domain::format_uuid(request.id));
    digests.add(hex(request.digest));
    kinds.add(domain::kind_name(request.kind));
    reasons.add(request.reason);
    references.add(request.reference);
    actors.add(request.actor);
    // Arrays of different lengths cannot be rows of one array: they travel as texts.
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
  columns_.insert(columns_.end(),
                  {ids.take(), digests.take(), kinds.take(), reasons.take(), references.take(),
                   actors.take(), skus.take(), locations.take(), versions.take()});
}

}  // namespace stock::postgres
