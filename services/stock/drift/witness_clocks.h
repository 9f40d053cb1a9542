// How far the clocks of witnesses are ahead of the database's, by what they say of themselves.
//
// What arrives was sent before. So of all differences between arrival and sending, by two clocks,
// the smallest one is nearest to that of the clocks alone (a minimum filter, as in NTP). A single
// one proves nothing: it may be an old report that comes late. Only when reports keep pace with the
// database's clock for a while, all of them, do they come from a clock: then it is known, to within
// what even the quickest report may have taken.
//
// A clock that is set forward shows at once, and is learnt anew. One that is set back looks like
// reports that come late, until the window of the filter has passed: their instants then are too
// early, which accuses nobody.
//
// Thread-safe; one mutex, held for one look-up. Bounded: the witness not heard of for longest is
// forgotten.
#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "stock/domain/time.h"
#include "stock/drift/testimony.h"

namespace stock::drift {

class WitnessClocks {
 public:
  // So long reports have to keep pace, ...
  static constexpr std::chrono::seconds kProof{5};
  // ... to within this.
  static constexpr std::chrono::seconds kPace{1};
  // What the quickest report of a window may have taken, and the pace.
  static constexpr std::chrono::seconds kUncertainty{2};
  // Half the window.
  static constexpr std::chrono::minutes kWindow{10};

  explicit WitnessClocks(std::size_t capacity) : capacity_(capacity) {}

  // Something was sent at `sent_at`, by the clock of this witness, and has arrived. What is known
  // of that clock now.
  std::optional<Skew> heard(const std::string& witness, const std::string& instance,
                            WitnessTime sent_at, const Span& arrived);

  // The largest known, in either direction, of all instances of a witness.
  [[nodiscard]] std::chrono::microseconds largest(std::string_view witness) const;
  [[nodiscard]] std::size_t size() const;

 private:
  using Name = std::pair<std::string, std::string>;
  struct Clock {
    Name name;
    domain::DatabaseTime began;  // the present half of the window
    std::chrono::microseconds least;
    std::optional<std::chrono::microseconds> before;  // of the former half
    // Of those that keep pace with each other.
    std::chrono::microseconds most;
    WitnessTime first;
    WitnessTime last;
    std::optional<Skew> skew;
  };

  static void learn(Clock& clock, WitnessTime sent_at, const Span& arrived);
  [[nodiscard]] Clock& of(const Name& name, std::chrono::microseconds took, WitnessTime sent_at,
                          domain::DatabaseTime now);

  const std::size_t capacity_;
  mutable std::mutex mutex_;
  std::list<Clock> clocks_;  // last heard of first
  std::map<Name, std::list<Clock>::iterator> by_name_;
};

}  // namespace stock::drift
