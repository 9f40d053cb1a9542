// What the database's clock can have read at a local instant, from samples of it: two bounds that
// only a clock that is off by more than quartz is can leave. Immutable.
#pragma once

#include <vector>

#include "support/history.h"

namespace stock::support {

class ClockBounds {
 public:
  explicit ClockBounds(std::vector<ClockSample> samples);

  // Without samples: the beginning and the end of time, by which nobody is convicted.
  [[nodiscard]] domain::DatabaseTime earliest(domain::LocalTime at) const { return range(at).low; }
  [[nodiscard]] domain::DatabaseTime latest(domain::LocalTime at) const { return range(at).high; }

 private:
  struct Range {
    domain::DatabaseTime low;
    domain::DatabaseTime high;
  };
  [[nodiscard]] Range range(domain::LocalTime at) const;

  std::vector<ClockSample> samples_;  // in order of `sent`
};

}  // namespace stock::support
