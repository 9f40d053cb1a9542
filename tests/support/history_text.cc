#include "support/history_text.h"

#include <fmt/format.h>

#include "support/history_checker.h"

namespace stock::support {

using domain::Counts;
using domain::DatabaseTime;
using domain::Key;
using std::chrono::microseconds;

std::string text(const Key& key) { return fmt::format("{}@{}", key.sku, key.location); }

std::string text(const Counts& counts) {
  return fmt::format("(on_hand {}, reserved {}, committed {}, safety_stock {}, backorder_limit {})",
                     counts.on_hand, counts.reserved, counts.committed, counts.safety_stock,
                     counts.backorder_limit);
}

std::string text(DatabaseTime time) {
  constexpr std::int64_t kDay = 86'400'000'000;
  const std::int64_t us = ((time.time_since_epoch().count() % kDay) + kDay) % kDay;
  return fmt::format("{:02}:{:02}:{:02}.{:06}", us / 3'600'000'000, us / 60'000'000 % 60,
                     us / 1'000'000 % 60, us % 1'000'000);
}

std::string text(microseconds time) { return fmt::format("{} us", time.count()); }

std::string text(const LedgerMovement& movement) {
  return fmt::format("version {} {}, committed {}", movement.version,
                     movement.exists ? text(movement.counts) : "(deleted)",
                     text(movement.committed_at));
}

std::string text(const Statement& said) {
  return fmt::format("version {} {} from {}, as of {}, true through {}, {} old", said.version,
                     said.exists ? text(said.counts) : "(no level)", said.layer,
                     said.as_of ? text(*said.as_of) : "nothing", text(said.true_through),
                     text(said.age));
}

std::string_view name(OffenceKind kind) {
  switch (kind) {
    case OffenceKind::kNoSuchVersion:
      return "no such version";
    case OffenceKind::kWrongCounts:
      return "wrong counts";
    case OffenceKind::kNeverVisible:
      return "never visible";
    case OffenceKind::kWrongAsOf:
      return "wrong as_of";
    case OffenceKind::kNotYetTrue:
      return "not yet true";
    case OffenceKind::kStaleClaim:
      return "stale claim";
    case OffenceKind::kAgeTooSmall:
      return "age too small";
    case OffenceKind::kBoundExceeded:
      return "bound exceeded";
    case OffenceKind::kTokenMissed:
      return "token missed";
    case OffenceKind::kWentBack:
      return "went back";
    case OffenceKind::kNotConsistent:
      return "not consistent";
    case OffenceKind::kWrongPast:
      return "wrong past";
    case OffenceKind::kWrongTransition:
      return "wrong transition";
    case OffenceKind::kFalselyDenied:
      return "falsely denied";
    case OffenceKind::kWrongTotal:
      return "wrong total";
    case OffenceKind::kWrongAvailability:
      return "wrong availability";
    case OffenceKind::kOutOfOrder:
      return "out of order";
    case OffenceKind::kConflatedSilently:
      return "conflated silently";
    case OffenceKind::kLostChange:
      return "lost change";
    case OffenceKind::kMovementTwice:
      return "movement twice";
    case OffenceKind::kLostMovement:
      return "lost movement";
    case OffenceKind::kFalselyLost:
      return "falsely lost";
    case OffenceKind::kLostWrite:
      return "lost write";
    case OffenceKind::kAppliedTwice:
      return "applied twice";
    case OffenceKind::kRefusedApplied:
      return "refused, applied";
    case OffenceKind::kWrongAnswer:
      return "wrong answer";
    case OffenceKind::kBrokenLedger:
      return "broken ledger";
  }
  return "unknown";
}

}  // namespace stock::support
