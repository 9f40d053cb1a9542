#include "stock/drift/repairer.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <memory>
#include <stop_token>
#include <utility>

#include "stock/drift/inquiry.h"

namespace stock::drift {

std::string_view outcome_name(RepairOutcome outcome) {
  switch (outcome) {
    case RepairOutcome::kDropped:
      return "dropped";
    case RepairOutcome::kRefreshed:
      return "refreshed";
    case RepairOutcome::kFailed:
      return "failed";
  }
  return "failed";
}

absl::Status Repairer::repair(const Order& order, domain::LocalTime deadline) {
  const auto place = std::ranges::find(places_, order.layer, &Place::layer);
  if (place == places_.end()) {
    return absl::NotFoundError(fmt::format("no copies are kept in {} here", order.layer));
  }
  const absl::Status status = act(*place, order, deadline);
  const auto done = order.action == layers::RepairPolicy::kDrop ? RepairOutcome::kDropped
                                                                : RepairOutcome::kRefreshed;
  observer_.repaired(static_cast<std::size_t>(place - places_.begin()), order.keys,
                     status.ok() ? done : RepairOutcome::kFailed, order.actor, order.reason);
  return status;
}

void Repairer::found_lying(std::string_view layer, std::span<const domain::Key> keys,
                           domain::LocalTime deadline) {
  const auto place = std::ranges::find(places_, layer, &Place::layer);
  if (place == places_.end() || keys.empty()) return;
  const layers::RepairPolicy policy = place->setting->setting().repair;
  if (policy == layers::RepairPolicy::kOff) return;
  // A failure has been counted, and the next pass finds the lie again.
  repair({.layer = place->layer,
          .keys = {keys.begin(), keys.end()},
          .action = policy,
          .actor = "auditor",
          .reason = "repair policy"},
         deadline)
      .IgnoreError();
}

// What the primary says is asked for before, so that the copy is missing no longer than needed.
absl::Status Repairer::act(const Place& place, const Order& order, domain::LocalTime deadline) {
  std::vector<domain::Key> keys;
  std::vector<domain::Reading> readings;
  if (order.action == layers::RepairPolicy::kRefresh) {
    const auto said = Inquiry::send(order.keys, {&primary_}, clock_, deadline - clock_.now())
                          ->wait(std::stop_token());
    for (std::size_t i = 0; i < order.keys.size(); ++i) {
      if (!said.front().answered || !said.front().answers[i].found()) {
        return absl::UnavailableError("the primary cannot be asked what is true");
      }
      keys.push_back(order.keys[i]);
      readings.push_back(said.front().answers[i].reading);
    }
  }
  const auto promise = std::make_shared<std::promise<absl::Status>>();
  place.copies->remove(order.keys,
                       [promise](absl::Status status) { promise->set_value(std::move(status)); });
  const absl::Status removed = promise->get_future().get();
  if (removed.ok() && !keys.empty()) place.fill->offer(keys, readings);
  return removed;
}

}  // namespace stock::drift
