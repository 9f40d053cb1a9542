// Refusals, line by line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "stock/ledger/write.h"

namespace stock::ledger {

// Why one line cannot be.
struct Fault {
  Reason reason = Reason::kInsufficientStock;
  std::string message;
  std::int64_t shortfall = 0;
};

// Collects faults, and keeps those that are hardest to mend: no location, a count out of range, a
// failed comparison, the rest.
class Faults {
 public:
  void add(const domain::Key& key, Fault fault);
  [[nodiscard]] bool any() const { return refusal_.has_value(); }
  // What became of the request; nothing when there was no fault.
  [[nodiscard]] std::optional<Refusal> take();

 private:
  std::optional<Refusal> refusal_;
};

}  // namespace stock::ledger
