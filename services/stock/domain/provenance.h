// What became of asking the layers: the trail of an answer.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace stock::domain {

enum class Outcome : std::uint8_t {
  kHit,          // a statement that met the bound
  kMiss,         // none
  kTooOld,       // one, but not provably true recently enough
  kSuperseded,   // one, known to have been replaced
  kCorrupt,      // something that is no statement of ours
  kError,        // it failed
  kTimeout,      // it did not answer in time
  kBreakerOpen,  // it failed often enough lately that it was not asked
  kBypassed,     // left out by the request's consistency, or switched off
  kCoalesced,    // one, from a read that another caller caused
  kRefused,      // not asked: too much waits for it already
};
inline constexpr std::size_t kOutcomes = 11;

// Lower snake case, as in metrics and logs.
std::string_view outcome_name(Outcome outcome);

// What one layer contributed to a response.
struct Visit {
  std::string_view layer;
  std::array<std::int32_t, kOutcomes> keys{};  // how many keys met which outcome
  std::chrono::nanoseconds time{0};            // from asking to the answer
  std::string detail;  // what went wrong, for people; empty when nothing did

  [[nodiscard]] std::int32_t count(Outcome outcome) const {
    return keys[static_cast<std::size_t>(outcome)];
  }
  void add(Outcome outcome, std::int32_t n = 1) { keys[static_cast<std::size_t>(outcome)] += n; }
};

}  // namespace stock::domain
