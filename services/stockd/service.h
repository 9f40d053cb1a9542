// One stockd process: starts its parts (parts.h), tells how they are, and stops them.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "stock/admin/server.h"
#include "stock/config/config.h"

namespace stockd {

struct Parts;

class Service {
 public:
  explicit Service(const stock::config::Config& config);
  // Stops, if it has not been stopped.
  ~Service();

  // Listens, and answers from now on, with whatever works. UNAVAILABLE: an address cannot be
  // listened on. FAILED_PRECONDITION: the database holds another schema, or a foreign ledger.
  absl::Status start();
  // Looks after the health that is told to load balancers. To be called every now and then.
  void look_after();
  // Accepts nothing new, finishes what was accepted, and stops everything.
  void stop();

 private:
  std::vector<stock::admin::Check> checks() const;

  const stock::config::Config config_;
  std::unique_ptr<Parts> parts_;
};

}  // namespace stockd
