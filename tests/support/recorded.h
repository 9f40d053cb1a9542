// A move by itself, for the table of recent moves.
#pragma once

#include "stock/feed/view.h"

namespace stock::support {

inline void record(feed::View& view, const domain::Key& key, domain::Version version,
                   domain::HeartbeatNumber since) {
  const feed::Move move{.key = key, .version = version};
  view.record({&move, 1}, since);
}

}  // namespace stock::support
