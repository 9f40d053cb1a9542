#include "stock/ledger/refusals.h"

#include <fmt/format.h>

#include <utility>

namespace stock::ledger {
namespace {

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

}  // namespace

// Adds the line to those with the same reason, or in place of those with a lesser one.
void Faults::add(const domain::Key& key, Fault fault) {
  if (refusal_ && precedence(refusal_->reason) < precedence(fault.reason)) return;
  if (!refusal_ || precedence(refusal_->reason) > precedence(fault.reason)) {
    refusal_ = Refusal{.reason = fault.reason, .message = {}, .lines = {}};
  }
  refusal_->lines.push_back({key, fault.shortfall, std::move(fault.message)});
}

std::optional<Refusal> Faults::take() {
  if (!refusal_) return std::nullopt;
  const Refusal::Line& first = refusal_->lines.front();
  refusal_->message = fmt::format("{} at {}: {}", first.key.sku, first.key.location, first.message);
  if (const std::size_t more = refusal_->lines.size() - 1; more > 0) {
    refusal_->message += fmt::format(", and {} more", more);
  }
  return std::exchange(refusal_, std::nullopt);
}

}  // namespace stock::ledger
