#include "stock/domain/flags.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "stock/domain/level.h"

namespace stock::domain {
namespace {

// A whole number of units; negative: no cap. Beyond every count there is no cap either.
std::optional<std::int64_t> cap_of(double value) {
  if (std::isnan(value) || std::trunc(value) != value) return std::nullopt;
  if (value < 0 || value > static_cast<double>(kMaxCount)) return -1;
  return static_cast<std::int64_t>(value);
}

}  // namespace

FlagOutcome flag_outcome(FlagEffect effect, const FlagSaid& said, std::int64_t available) {
  FlagOutcome outcome;
  if (said == FlagSaid{}) return outcome;
  if (effect == FlagEffect::kCap) {
    const double* value = std::get_if<double>(&said.value);
    const auto cap = value != nullptr ? cap_of(*value) : std::nullopt;
    outcome.misused = !cap;
    outcome.cap = cap.value_or(-1);
    outcome.applies = outcome.cap >= 0 && outcome.cap < available;
  } else {
    const bool* value = std::get_if<bool>(&said.value);
    outcome.misused = value == nullptr;
    outcome.applies = value != nullptr && *value;
  }
  return outcome;
}

bool Flagged::forked() const { return std::ranges::any_of(outcomes, &FlagOutcome::applies); }

Flagged flagged(std::span<const Flag> flags, const FlagsSaid& said, std::int64_t available) {
  Flagged view;
  view.available = std::max<std::int64_t>(available, 0);
  view.outcomes.resize(flags.size());
  for (std::size_t i = 0; i < std::min(flags.size(), said.size()); ++i) {
    const FlagOutcome& told = view.outcomes[i] = flag_outcome(flags[i].effect, said[i], available);
    if (!told.applies) continue;
    if (flags[i].effect == FlagEffect::kHide) view.hidden = true;
    if (flags[i].effect == FlagEffect::kEndSale) view.sale_ended = true;
    if (flags[i].effect == FlagEffect::kCap) view.available = std::min(view.available, told.cap);
  }
  if (view.hidden || view.sale_ended) view.available = 0;
  return view;
}

bool contradict(std::span<const Flagged> views) {
  const auto differs = [&](const Flagged& view) {
    return view.hidden != views.front().hidden || view.sale_ended != views.front().sale_ended ||
           view.available != views.front().available;
  };
  return std::ranges::any_of(views, differs);
}

bool contradict(std::span<const Flagged> views, std::size_t flag) {
  const auto effective = [&](const Flagged& view) {
    const FlagOutcome& outcome = view.outcomes[flag];
    return std::pair(outcome.applies, outcome.applies ? outcome.cap : -1);
  };
  return std::ranges::any_of(
      views, [&](const Flagged& view) { return effective(view) != effective(views.front()); });
}

}  // namespace stock::domain
