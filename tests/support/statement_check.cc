#include "support/statement_check.h"

#include <fmt/format.h>

#include "support/history_text.h"

namespace stock::support {

using domain::Counts;
using domain::DatabaseTime;

bool check_content(Claims& claims, const Who& who, const Statement& said, const EraTruth& era,
                   Versions allowed, Found& found) {
  if (said.version == 0) {
    claims.check(!said.exists && said.counts == Counts{} && !said.as_of, found,
                 OffenceKind::kWrongCounts, [&] {
                   return fmt::format("{}: {} is said to have never moved, and to be {}", who(),
                                      text(said.key), text(said));
                 });
    return true;
  }
  const LedgerMovement* movement = era.movement(said.key, said.version);
  claims.check(movement != nullptr, found, OffenceKind::kNoSuchVersion, [&] {
    return fmt::format("{}: {} is said to be {}; the ledger has no such version", who(),
                       text(said.key), text(said));
  });
  if (movement == nullptr) return false;
  claims.check(said.exists == movement->exists && said.counts == movement->counts, found,
               OffenceKind::kWrongCounts, [&] {
                 return fmt::format("{}: {} is said to be {}; the ledger: {}", who(),
                                    text(said.key), text(said), text(*movement));
               });
  claims.check(said.as_of == movement->committed_at, found, OffenceKind::kWrongAsOf, [&] {
    return fmt::format("{}: {} is said to be {}; the ledger: {}", who(), text(said.key), text(said),
                       text(*movement));
  });
  claims.check(allowed == Versions::kAny || !era.hidden(said.key, said.version), found,
               OffenceKind::kNeverVisible, [&] {
                 return fmt::format(
                     "{}: {} is said to be {}, which the transaction that made it had replaced",
                     who(), text(said.key), text(said));
               });
  return true;
}

void check_dates(Claims& claims, const Who& who, const Statement& said, DatabaseTime latest,
                 const EraTruth& era, Found& found) {
  if (const LedgerMovement* movement = era.movement(said.key, said.version)) {
    claims.check(movement->committed_at <= said.true_through, found, OffenceKind::kNotYetTrue, [&] {
      return fmt::format("{}: {} is said to be {}; the ledger: {}", who(), text(said.key),
                         text(said), text(*movement));
    });
  }
  claims.check(said.true_through <= latest, found, OffenceKind::kNotYetTrue, [&] {
    return fmt::format("{}: {} is said to be {}, when the database's clock had not passed {}",
                       who(), text(said.key), text(said), text(latest));
  });
  const auto replaced = era.replaced_by(said.key, said.version);
  claims.check(!replaced || *replaced >= said.true_through, found, OffenceKind::kStaleClaim, [&] {
    return fmt::format("{}: {} is said to be {}; version {} had replaced it by {}", who(),
                       text(said.key), text(said), said.version + 1, text(*replaced));
  });
}

}  // namespace stock::support
