// How fresh an answer has to be, and whether one is. Pure.
#pragma once

#include <algorithm>
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

// An age, and how wrong it can be. The true age lies within age ± uncertainty.
struct Age {
  std::chrono::microseconds age{0};
  std::chrono::microseconds uncertainty{0};

  // The age that bounds are judged by: never younger than the truth.
  [[nodiscard]] std::chrono::microseconds worst() const { return age + uncertainty; }
};

// The age of an answer with several parts: as old as the oldest, whose worst is no part's to
// exceed. Which part is the oldest and which one is at worst the oldest can be two questions.
inline void include(std::optional<Age>& whole, const Age& part) {
  const Age before = whole.value_or(Age{});
  const auto age = std::max(before.age, part.age);
  whole = Age{age, std::max(before.worst(), part.worst()) - age};
}

// The age to tell of a part, where one uncertainty is told of the whole: with that on top, it is
// never younger than the truth, nor older than the whole.
[[nodiscard]] inline std::chrono::microseconds age_within(const Age& whole, const Age& part) {
  return std::min(std::max(part.age, part.worst() - whole.uncertainty), whole.age);
}

[[nodiscard]] inline bool meets(const Age& age, std::chrono::microseconds max_age) {
  return age.worst() <= max_age;
}

}  // namespace stock::domain
