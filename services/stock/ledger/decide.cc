#include "stock/ledger/decide.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "stock/ledger/move.h"
#include "stock/ledger/refusals.h"

namespace stock::ledger {
namespace {

using domain::Counts;
using domain::Key;

// Holds any sum of int64 that fits into memory.
using Wide = __int128;

// What a request does to one key: sets it, or its settings, or adds the sum of its adjustments.
struct KeyChange {
  const Set* set = nullptr;
  const Settings* settings = nullptr;
  Wide delta = 0;
};

// In order of key. Points into the request.
std::map<Key, KeyChange> by_key(const Request& request) {
  std::map<Key, KeyChange> changes;
  const auto alone = [&](const Key& key) -> KeyChange& {
    const auto [it, first] = changes.try_emplace(key);
    assert(first && "a key that is set occurs once");
    static_cast<void>(first);
    return it->second;
  };
  for (const Change& change : request.changes) {
    if (const auto* set = std::get_if<Set>(&change)) {
      alone(set->key).set = set;
    } else if (const auto* settings = std::get_if<Settings>(&change)) {
      alone(settings->key).settings = settings;
    } else {
      const auto& adjust = std::get<Adjust>(change);
      KeyChange& sum = changes[adjust.key];
      assert(sum.set == nullptr && sum.settings == nullptr && "a key that is set occurs once");
      sum.delta += adjust.on_hand_delta;
    }
  }
  return changes;
}

using Verdict = std::variant<Counts, Fault>;

Fault out_of_range(std::string_view count) {
  return {.reason = Reason::kCountOutOfRange,
          .message = fmt::format("{} must be between 0 and {}", count, domain::kMaxCount)};
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
    return Fault{
        .reason = Reason::kInsufficientStock,
        .message = fmt::format("{}, {} promised; {} too few", describe(level), promised, shortfall),
        .shortfall = shortfall};
  }
  if (on_hand > domain::kMaxCount) return out_of_range("on_hand");
  Counts after = now;
  after.on_hand = static_cast<std::int64_t>(on_hand);
  return after;
}

bool has_version(const LockedLevel& level, const std::optional<domain::Version>& expected) {
  if (!expected || *expected == level.version) return true;
  return *expected == 0 && !level.exists;
}

Verdict set_to(const LockedLevel& level, const Set& set) {
  Counts after = level.counts;
  after.on_hand = set.on_hand;
  after.safety_stock = set.safety_stock.value_or(after.safety_stock);
  if (!domain::in_range(after)) return out_of_range("on_hand and safety_stock");
  const bool as_expected =
      (!set.expected_on_hand || *set.expected_on_hand == level.counts.on_hand) &&
      has_version(level, set.expected_version);
  if (!as_expected) return Fault{.reason = Reason::kCompareFailed, .message = describe(level)};
  return after;
}

Verdict sold_by(const LockedLevel& level, const Settings& settings) {
  Counts after = level.counts;
  after.safety_stock = settings.safety_stock.value_or(after.safety_stock);
  after.backorder_limit = settings.backorder_limit.value_or(after.backorder_limit);
  if (!domain::in_range(after)) return out_of_range("safety_stock and backorder_limit");
  if (!has_version(level, settings.expected_version)) {
    return Fault{.reason = Reason::kCompareFailed, .message = describe(level)};
  }
  return after;
}

Verdict judge(const LockedLevel& level, const KeyChange& change) {
  if (!level.exists && !level.location_exists) {
    return Fault{.reason = Reason::kLocationNotFound, .message = "there is no such location"};
  }
  if (change.set != nullptr) return set_to(level, *change.set);
  if (change.settings != nullptr) return sold_by(level, *change.settings);
  return adjusted(level, change.delta);
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
  Faults faults;
  const std::map<Key, KeyChange> changes = by_key(request);
  for (const auto& [key, change] : changes) {
    LockedLevel& level = levels.at(key);
    Verdict verdict = judge(level, change);
    if (auto* fault = std::get_if<Fault>(&verdict)) {
      faults.add(key, std::move(*fault));
      continue;
    }
    const Counts& after = std::get<Counts>(verdict);
    const bool unchanged = level.exists && after == level.counts;
    if (unchanged && change.set != nullptr && request.kind == domain::MovementKind::kImport) {
      continue;
    }
    steps.push_back({&key, &level, after});
  }
  if (faults.any()) return faults.take();
  for (const Step& step : steps) {
    move(*step.key, *step.level, step.after, {.kind = request.kind, .request = request_index},
         movements);
    written.push_back({*step.key, step.after, step.level->version});
  }
  return std::nullopt;
}

}  // namespace stock::ledger
