#include "stock/ledger/observer.h"

namespace stock::ledger {

std::string_view retry_name(Retry retry) {
  switch (retry) {
    case Retry::kConflict:
      return "conflict";
    case Retry::kLocked:
      return "locked";
    case Retry::kUnreachable:
      return "unreachable";
    case Retry::kUnknownCommit:
      return "unknown_commit";
    case Retry::kSplit:
      return "split";
  }
  return "unknown";
}

}  // namespace stock::ledger
