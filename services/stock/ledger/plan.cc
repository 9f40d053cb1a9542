#include "stock/ledger/plan.h"

#include <optional>
#include <utility>
#include <variant>

#include "stock/ledger/decide.h"

namespace stock::ledger {
namespace {

Outcome recall(const Request& request, const Remembered& earlier) {
  if (request.digest == earlier.digest) {
    return Applied{.levels = earlier.levels, .replayed = true, .transaction = earlier.transaction};
  }
  return Refusal{.reason = Reason::kRequestIdReused,
                 .message = "request_id " + domain::format_uuid(request.id) +
                            " belongs to another request; nothing was changed",
                 .lines = {}};
}

}  // namespace

void Plan::persisted_by(const domain::Transaction& transaction) {
  for (Outcome& outcome : outcomes) {
    auto* its = std::get_if<Applied>(&outcome);
    if (its != nullptr && its->transaction.xid == 0) its->transaction = transaction;
  }
}

Plan make_plan(std::span<const Request* const> requests, LockedLevels& levels,
               RememberedRequests& remembered) {
  Plan plan;
  plan.outcomes.reserve(requests.size());
  for (const Request* request : requests) {
    if (const auto earlier = remembered.find(request->id); earlier != remembered.end()) {
      plan.outcomes.push_back(recall(*request, earlier->second));
      continue;
    }
    std::vector<Written> written;
    std::optional<Refusal> refusal =
        decide(*request, levels, plan.applied.size(), plan.movements, written);
    if (refusal) {
      plan.outcomes.emplace_back(*std::move(refusal));
      continue;
    }
    plan.applied.push_back(request);
    remembered[request->id] = {.digest = request->digest, .levels = written, .transaction = {}};
    plan.outcomes.emplace_back(
        Applied{.levels = std::move(written), .replayed = false, .transaction = {}});
  }
  return plan;
}

}  // namespace stock::ledger
