// A version that became visible. Of several that one transaction made of a key only the last one
// ever was.
#pragma once

#include "stock/domain/key.h"
#include "stock/domain/level.h"
#include "stock/domain/snapshot.h"
#include "stock/domain/time.h"

namespace stock::feed {

struct Move {
  domain::Key key;
  domain::Version version = 0;
  bool exists = false;  // false: a tombstone
  domain::Counts counts;
  domain::DatabaseTime earliest_expiry;  // as of a reading
  domain::DatabaseTime as_of;
  domain::Xid xid = 0;
};

}  // namespace stock::feed
