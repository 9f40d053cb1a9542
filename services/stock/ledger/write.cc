#include "stock/ledger/write.h"

namespace stock::ledger {

std::span<const Line> Request::lines() const {
  if (!action) return {};
  if (const auto* reserve = std::get_if<Reserve>(&action->what)) return reserve->lines;
  if (const auto* update = std::get_if<Update>(&action->what)) return update->lines;
  if (const auto* fulfill = std::get_if<Fulfill>(&action->what)) return fulfill->lines;
  return {};
}

bool Request::remembered() const {
  return !action || !std::holds_alternative<Expire>(action->what);
}

bool Request::remembered_as_request() const {
  return remembered() && !(action && std::holds_alternative<Reserve>(action->what));
}

std::string_view reason_name(Reason reason) {
  switch (reason) {
    case Reason::kInsufficientStock:
      return "insufficient_stock";
    case Reason::kCompareFailed:
      return "compare_failed";
    case Reason::kLocationNotFound:
      return "location_not_found";
    case Reason::kRequestIdReused:
      return "request_id_reused";
    case Reason::kCountOutOfRange:
      return "count_out_of_range";
    case Reason::kQueueFull:
      return "queue_full";
    case Reason::kOverloaded:
      return "overloaded";
    case Reason::kUnavailable:
      return "unavailable";
    case Reason::kDeadline:
      return "deadline";
    case Reason::kRejected:
      return "rejected";
    case Reason::kReservationNotFound:
      return "reservation_not_found";
    case Reason::kReservationExists:
      return "reservation_exists";
    case Reason::kReservationExpired:
      return "reservation_expired";
    case Reason::kReservationState:
      return "reservation_state";
    case Reason::kLineMismatch:
      return "line_mismatch";
    case Reason::kLedgerUnfit:
      return "ledger_unfit";
  }
  return "unknown";
}

}  // namespace stock::ledger
