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

// The sum of a metric in a page of /metrics, over the series whose labels hold `label` ("a=\"b\"");
// 0 where there is none.
double metric_total(const std::string& page, const std::string& metric, const std::string& label);

}  // namespace stock::support
