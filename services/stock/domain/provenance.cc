#include "stock/domain/provenance.h"

namespace stock::domain {

std::string_view outcome_name(Outcome outcome) {
  switch (outcome) {
    case Outcome::kHit:
      return "hit";
    case Outcome::kMiss:
      return "miss";
    case Outcome::kTooOld:
      return "too_old";
    case Outcome::kSuperseded:
      return "superseded";
    case Outcome::kCorrupt:
      return "corrupt";
    case Outcome::kError:
      return "error";
    case Outcome::kTimeout:
      return "timeout";
    case Outcome::kBreakerOpen:
      return "breaker_open";
    case Outcome::kBypassed:
      return "bypassed";
    case Outcome::kCoalesced:
      return "coalesced";
    case Outcome::kRefused:
      return "refused";
  }
  return "unknown";
}

}  // namespace stock::domain
