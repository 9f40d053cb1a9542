// analytics itself, as this build made it.
#pragma once

#include <string>
#include <vector>

#include "support/http.h"
#include "support/server.h"

namespace stock::support {

std::string analytics_path();

class AnalyticsProcess : public Server {
 public:
  struct Options {
    std::string stock_address;
    std::string database_url;
    std::vector<std::string> flags = {};  // further ones
  };

  // Serves /healthz when this returns, whether or not it can count yet.
  explicit AnalyticsProcess(const Options& options);
  // Ends it, unless the test has, and fails the test when it does not end with success.
  ~AnalyticsProcess();

  [[nodiscard]] HttpResponse get(const std::string& path) const { return http_get(port(), path); }
};

}  // namespace stock::support
