#include "stock/feed/delta.h"

#include <algorithm>
#include <utility>

namespace stock::feed {

bool may_lack(const domain::Snapshot& snapshot, domain::Xid through) {
  return snapshot.xmax() <= through ||
         (!snapshot.running().empty() && snapshot.running().front() <= through);
}

domain::Snapshot clamp(const domain::Snapshot& snapshot, domain::Xid below) {
  below = std::max(below, beginning_of_time().xmax());
  if (snapshot.xmax() <= below) return snapshot;
  std::vector<domain::Xid> running = snapshot.running();
  std::erase_if(running, [below](domain::Xid xid) { return xid >= below; });
  return {std::min(snapshot.xmin(), below), below, std::move(running)};
}

}  // namespace stock::feed
