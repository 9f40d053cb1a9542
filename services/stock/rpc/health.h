// The standard health service, on the server's own completion queue. Every service starts
// NOT_SERVING.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

#include "grpc/health/v1/health.grpc.pb.h"

namespace stock::rpc {

class Server;

// Thread-safe.
class Health {
 public:
  Health();
  ~Health();

  // "" is the server as a whole.
  void set(const std::string& service, bool serving);
  // Everything is NOT_SERVING from now on, and watchers are sent away.
  void shut_down();

 private:
  friend class Server;
  class Watch;
  using Status = grpc::health::v1::HealthCheckResponse::ServingStatus;

  void attach(Server& server);
  void wait_for_watch(grpc::ServerCompletionQueue& queue);
  // SERVICE_UNKNOWN for names that were never set.
  Status status(const std::string& service);

  grpc::health::v1::Health::AsyncService service_;
  std::mutex mutex_;
  std::map<std::string, Status> statuses_;
  std::set<Watch*> watches_;
  std::atomic<int> watch_objects_{0};  // those that wait for a stream included
  bool shut_down_ = false;
};

}  // namespace stock::rpc
