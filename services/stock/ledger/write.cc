#include "stock/ledger/write.h"

namespace stock::ledger {

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
    case Reason::kUnavailable:
      return "unavailable";
    case Reason::kDeadline:
      return "deadline";
    case Reason::kRejected:
      return "rejected";
  }
  return "unknown";
}

}  // namespace stock::ledger
