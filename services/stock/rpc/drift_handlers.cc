#include "stock/rpc/drift_handlers.h"

namespace stock::rpc {

void DriftHandlers::attach(Server& server) {
  server.add_service(service_);
  attach_layers(server);
  attach_explaining(server);
  attach_incidents(server);
  attach_forks(server);
  attach_testimonies(server);
}

}  // namespace stock::rpc
