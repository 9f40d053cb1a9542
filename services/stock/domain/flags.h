// What feature flags make of what is available: values and pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace stock::domain {

// What a flag does to a SKU. The kind of flag that has this effect: hide and end-sale take a
// boolean one, cap an integer one, negative for "no cap".
enum class FlagEffect : std::uint8_t { kHide, kCap, kEndSale };

struct Flag {
  std::string name;
  FlagEffect effect = FlagEffect::kHide;

  friend bool operator==(const Flag&, const Flag&) = default;
};

// What a flag service said of one flag. All empty: it said nothing of it.
struct FlagSaid {
  std::string variant;
  std::string reason;
  std::variant<std::monostate, bool, double> value;  // monostate: none, or of another kind

  friend bool operator==(const FlagSaid&, const FlagSaid&) = default;
};
// Of all configured flags, one for one; empty: nothing is known.
using FlagsSaid = std::vector<FlagSaid>;

struct FlagOutcome {
  // It changes something: the SKU is hidden, what is seen is less, or the sale has ended.
  bool applies = false;
  std::int64_t cap = -1;  // of a cap, where there is one; else negative
  // The value is none that the effect takes; then nothing follows from it.
  bool misused = false;

  friend bool operator==(const FlagOutcome&, const FlagOutcome&) = default;
};

[[nodiscard]] FlagOutcome flag_outcome(FlagEffect effect, const FlagSaid& said,
                                       std::int64_t available);

// The availability that somebody is to see.
struct Flagged {
  bool hidden = false;
  bool sale_ended = false;
  std::int64_t available = 0;         // at least 0
  std::vector<FlagOutcome> outcomes;  // one per flag

  [[nodiscard]] bool forked() const;  // some flag applies
};

// `available` as counted; negative when more is promised than there is. `said` may be empty.
[[nodiscard]] Flagged flagged(std::span<const Flag> flags, const FlagsSaid& said,
                              std::int64_t available);

// Whether some of these see what others do not.
[[nodiscard]] bool contradict(std::span<const Flagged> views);
// Whether that is (also) due to this flag, by its number.
[[nodiscard]] bool contradict(std::span<const Flagged> views, std::size_t flag);

}  // namespace stock::domain
