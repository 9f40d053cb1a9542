// The smallest HTTP client that reads /metrics and /readyz.
#pragma once

#include <cstdint>
#include <string>

namespace stock::support {

struct HttpResponse {
  int status = 0;  // 0: no answer
  std::string body;
};

// GET from 127.0.0.1:port.
HttpResponse http_get(std::uint16_t port, const std::string& path);

}  // namespace stock::support
