// stockd itself, as this build made it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "support/http.h"
#include "support/server.h"

namespace stock::support {

class StockdProcess : public Server {
 public:
  enum class Await {
    kReady,  // /readyz says yes
    kAlive,  // /healthz does: for tests in which something that it needs is down
  };
  struct Options {
    // Empty: it has none.
    std::string primary_url = {};
    std::string replica_url = {};
    std::string redis_url = {};
    std::vector<std::string> flags = {};  // further ones
    Await await = Await::kReady;
    std::map<std::string, std::string> environment = {};  // on top of the test program's own
  };

  explicit StockdProcess(Options options);
  // Drains it, unless the test has ended it already, and fails the test when it does not end with
  // success: sanitizers report through the exit status.
  ~StockdProcess();

  [[nodiscard]] std::string address() const;
  [[nodiscard]] std::uint16_t admin_port() const { return admin_port_; }
  [[nodiscard]] HttpResponse get(const std::string& path) const {
    return http_get(admin_port_, path);
  }

 private:
  std::uint16_t admin_port_ = 0;
};

}  // namespace stock::support
