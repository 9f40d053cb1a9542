#include "stock/ledger/decide.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace stock::ledger {
namespace {

using domain::Counts;
using domain::Key;

// Holds any sum of int64 that fits into memory.
using Wide = __int128;

// What a request does to one key: either set, or the sum of its adjustments.
struct KeyChange {
  const Set* set = nullptr;
  Wide delta = 0;
};

// In order of key. Points into the request.
std::map<Key, KeyChange> by_key(const Request& request) {
  std::map<Key, KeyChange> changes;
  for (const Change& change : request.changes) {
    if (const auto* set = std::get_if<Set>(&change)) {
      const bool first = changes.insert_or_assign(set->key, KeyChange{.set = set}).second;
      assert(first && "a key that is set occurs once");
      static_cast<void>(first);
    } else {
      const auto& adjust = std::get<Adjust>(change);
      KeyChange& sum = changes[adjust.key];
      assert(sum.set == nullptr && "a key that is set occurs once");
      sum.delta += adjust.on_hand_delta;
    }
  }
  return changes;
}

// What came of one key.
struct Verdict {
  Counts after;
  std::optional<Reason> refused;
  std::int64_t shortfall = 0;
  std::string message;
};

Verdict refuse(Reason reason, std::string message, std::int64_t shortfall = 0) {
  return {.after = {}, .refused = reason, .shortfall = shortfall, .message = std::move(message)};
}

Verdict refuse_out_of_range(std::string_view count) {
  return refuse(Reason::kCountOutOfRange,
                fmt::format("{} must be between 0 and {}", count, domain::kMaxCount));
}

std::string describe(const LockedLevel& level) {
  if (level.exists) {
    return fmt::format("on_hand is {} (version {})", level.counts.on_hand, level.version);
  }
  if (level.version > 0) return fmt::format("there is no level (since version {})", level.version);
  return "there is no level";
}

Verdict adjusted(const LockedLevel& level, Wide delta) {
  const Counts& now = level.counts;
  const Wide on_hand = now.on_hand + delta;
  const std::int64_t promised = now.reserved + now.committed;
  if (delta < 0 && on_hand < promised) {
    const auto shortfall = static_cast<std::int64_t>(
        std::min<Wide>(promised - on_hand, std::numeric_limits<std::int64_t>::max()));
    return refuse(Reason::kInsufficientStock,
                  fmt::format("{}, {} promised; {} too few", describe(level), promised, shortfall),
                  shortfall);
  }
  if (on_hand > domain::kMaxCount) return refuse_out_of_range("on_hand");
  Verdict verdict{.after = now, .refused = {}, .shortfall = 0, .message = {}};
  verdict.after.on_hand = static_cast<std::int64_t>(on_hand);
  return verdict;
}

bool meets_expectation(const LockedLevel& level, const Set& set) {
  if (set.expected_on_hand && *set.expected_on_hand != level.counts.on_hand) return false;
  if (!set.expected_version || *set.expected_version == level.version) return true;
  return *set.expected_version == 0 && !level.exists;
}

Verdict set_to(const LockedLevel& level, const Set& set) {
  Verdict verdict{.after = level.counts, .refused = {}, .shortfall = 0, .message = {}};
  verdict.after.on_hand = set.on_hand;
  verdict.after.safety_stock = set.safety_stock.value_or(level.counts.safety_stock);
  if (!domain::in_range(verdict.after)) return refuse_out_of_range("on_hand and safety_stock");
  if (!meets_expectation(level, set)) return refuse(Reason::kCompareFailed, describe(level));
  return verdict;
}

// Hardest to mend first.
int precedence(Reason reason) {
  switch (reason) {
    case Reason::kLocationNotFound:
      return 0;
    case Reason::kCountOutOfRange:
      return 1;
    case Reason::kCompareFailed:
      return 2;
    default:
      return 3;
  }
}

// Adds the line at fault to those with the same reason, or in place of those with a lesser one.
void add_line(std::optional<Refusal>& refusal, const Key& key, Verdict verdict) {
  const Reason reason = *verdict.refused;
  if (refusal && precedence(refusal->reason) < precedence(reason)) return;
  if (!refusal || refusal->reason != reason) {
    refusal = Refusal{.reason = reason, .message = {}, .lines = {}};
  }
  refusal->lines.push_back({key, verdict.shortfall, std::move(verdict.message)});
}

void summarize(Refusal& refusal) {
  const Refusal::Line& first = refusal.lines.front();
  refusal.message = fmt::format("{} at {}: {}", first.key.sku, first.key.location, first.message);
  if (const std::size_t more = refusal.lines.size() - 1; more > 0) {
    refusal.message += fmt::format(", and {} more", more);
  }
}

}  // namespace

std::optional<Refusal> decide(const Request& request, LockedLevels& levels,
                              std::size_t request_index, std::vector<PlannedMovement>& movements,
                              std::vector<Written>& written) {
  struct Step {
    const Key* key;
    LockedLevel* level;
    Counts after;
  };
  std::vector<Step> steps;
  std::optional<Refusal> refusal;
  const std::map<Key, KeyChange> changes = by_key(request);
  for (const auto& [key, change] : changes) {
    LockedLevel& level = levels.at(key);
    Verdict verdict;
    if (!level.exists && !level.location_exists) {
      verdict = refuse(Reason::kLocationNotFound, "there is no such location");
    } else if (change.set != nullptr) {
      verdict = set_to(level, *change.set);
    } else {
      verdict = adjusted(level, change.delta);
    }
    if (verdict.refused) {
      add_line(refusal, key, std::move(verdict));
      continue;
    }
    const bool unchanged = level.exists && verdict.after == level.counts;
    if (unchanged && change.set != nullptr && request.kind == domain::MovementKind::kImport) {
      continue;
    }
    steps.push_back({&key, &level, verdict.after});
  }
  if (refusal) {
    summarize(*refusal);
    return refusal;
  }
  for (const Step& step : steps) {
    LockedLevel& level = *step.level;
    movements.push_back({.key = *step.key,
                         .version = level.version + 1,
                         .before = level.counts,
                         .after = step.after,
                         .creates_level = !level.exists,
                         .request = request_index});
    level.exists = true;
    level.version += 1;
    level.counts = step.after;
    written.push_back({*step.key, step.after, level.version});
  }
  return std::nullopt;
}

}  // namespace stock::ledger
