// How far a process's feed has come.
#pragma once

#include <chrono>

#include "stock/domain/reading.h"
#include "stock/domain/snapshot.h"
#include "stock/domain/time.h"

namespace stock::feed {

// Everything that the snapshot of the poll shows has been applied.
struct Watermark {
  domain::Incarnation incarnation = 0;  // 0: the feed has not begun
  domain::DatabaseTime stamp;           // of the poll: true through here
  // A local instant before the poll was sent, and so before its snapshot was taken: what is true
  // through the watermark was true then, whatever any other clock says.
  domain::LocalTime confirmed_at;
  std::chrono::nanoseconds round_trip{0};  // of the poll: its snapshot was taken within this
  domain::HeartbeatNumber heartbeat = 0;   // the newest that the poll saw
  // Of the snapshot: all below xmin is shown, nothing from xmax on.
  domain::Xid xmin = 0;
  domain::Xid xmax = 0;
};

}  // namespace stock::feed
