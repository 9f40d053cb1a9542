#include "stock/ledger/plan.h"

#include <map>
#include <optional>
#include <utility>
#include <variant>

#include "stock/ledger/decide.h"

namespace stock::ledger {
namespace {

std::optional<domain::Reservation> reservation_of(const Request& request, const Books& books) {
  if (!request.action) return std::nullopt;
  const auto it = books.reservations.find(request.action->reservation);
  return it == books.reservations.end() ? std::nullopt : std::optional(it->second);
}

// For whoever repeats a request: a hold that has ended is expired.
std::optional<domain::Reservation> as_it_is(const Request& request, const Books& books) {
  std::optional<domain::Reservation> reservation = reservation_of(request, books);
  if (reservation && reservation->ended(books.now)) {
    reservation->state = domain::ReservationState::kExpired;
  }
  return reservation;
}

Outcome recall(const Request& request, const Remembered& earlier, const Books& books) {
  if (request.digest == earlier.digest) {
    return Applied{.levels = earlier.levels,
                   .replayed = true,
                   .transaction = earlier.transaction,
                   .reservation = as_it_is(request, books)};
  }
  if (earlier.made_reservation && request.action &&
      std::holds_alternative<Reserve>(request.action->what)) {
    return Refusal{.reason = Reason::kReservationExists,
                   .message = "reservation " + domain::format_uuid(request.id) +
                              " exists with other content; nothing was changed",
                   .lines = {}};
  }
  return Refusal{.reason = Reason::kRequestIdReused,
                 .message = "request_id " + domain::format_uuid(request.id) +
                            " belongs to another request; nothing was changed",
                 .lines = {}};
}

// What has been changed of the reservations, and what made those that are new.
class Changes {
 public:
  void note(const domain::Uuid& id) { made_.try_emplace(id); }
  void note_made(const domain::Uuid& id, const Digest& by) { made_[id] = by; }

  [[nodiscard]] std::vector<PlannedReservation> take(const Books& books) const {
    std::vector<PlannedReservation> planned;
    planned.reserve(made_.size());
    for (const auto& [id, by] : made_) {
      planned.push_back({.reservation = books.reservations.at(id),
                         .created = by.has_value(),
                         .digest = by.value_or(Digest{})});
    }
    return planned;
  }

 private:
  std::map<domain::Uuid, std::optional<Digest>> made_;
};

}  // namespace

void Plan::committed_by(const domain::Transaction& transaction) {
  for (Outcome& outcome : outcomes) {
    auto* its = std::get_if<Applied>(&outcome);
    if (its != nullptr && its->transaction.xid == 0) its->transaction = transaction;
  }
}

Plan make_plan(std::span<const Request* const> requests, Books& books) {
  Plan plan;
  Changes changes;
  plan.outcomes.reserve(requests.size());
  plan.lapsed = expire_due(books, plan.movements);
  for (const domain::Reservation& due : books.due.reservations) {
    if (books.reservations.at(due.id).revision != due.revision) changes.note(due.id);
  }
  for (const Request* request : requests) {
    const auto earlier = books.requests.find(request->id);
    if (request->remembered() && earlier != books.requests.end()) {
      plan.outcomes.push_back(recall(*request, earlier->second, books));
      continue;
    }
    std::vector<Written> written;
    const std::optional<domain::Reservation> before = reservation_of(*request, books);
    std::optional<Refusal> refusal =
        request->action
            ? decide_reservation(*request, books, plan.applied.size(), plan.movements, written)
            : decide(*request, books.levels, plan.applied.size(), plan.movements, written);
    if (refusal) {
      plan.outcomes.emplace_back(*std::move(refusal));
      continue;
    }
    const std::optional<domain::Reservation> after = reservation_of(*request, books);
    if (after && !before) {
      changes.note_made(after->id, request->digest);
    } else if (after && after->revision != before->revision) {
      changes.note(after->id);
    }
    if (request->remembered()) {
      plan.applied.push_back(request);
      books.requests[request->id] = {.digest = request->digest,
                                     .levels = written,
                                     .transaction = {},
                                     .made_reservation = after && !before};
    }
    plan.outcomes.emplace_back(Applied{
        .levels = std::move(written), .replayed = false, .transaction = {}, .reservation = after});
  }
  plan.reservations = changes.take(books);
  return plan;
}

}  // namespace stock::ledger
