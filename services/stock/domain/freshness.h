// How fresh an answer has to be, and whether one is. Pure.
#pragma once

#include <chrono>
#include <optional>

#include "stock/domain/snapshot.h"
#include "stock/domain/time.h"

namespace stock::domain {

// What a caller asks of a read.
struct Requirement {
  // Age plus uncertainty at the moment of answering must not exceed this. Nothing: any age will do.
  std::optional<std::chrono::microseconds> max_age;
  // True through the moment the request arrived, or later: only the primary can promise that.
  bool fully_consistent = false;
  // The answer has to show this write, and all that it saw.
  std::optional<Transaction> at_least;
  // When the bound cannot be met, answer with the true age instead of failing.
  bool allow_stale = false;
};

// An age, and how wrong it can be. The true age is at most age + uncertainty.
struct Age {
  std::chrono::microseconds age{0};
  std::chrono::microseconds uncertainty{0};

  // The age that bounds are judged by: never younger than the truth.
  [[nodiscard]] std::chrono::microseconds worst() const { return age + uncertainty; }
};

[[nodiscard]] inline bool meets(const Age& age, std::chrono::microseconds max_age) {
  return age.worst() <= max_age;
}

}  // namespace stock::domain
