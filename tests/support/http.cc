#include "support/http.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cstdlib>
#include <sstream>

#include "support/loopback.h"

namespace stock::support {

HttpResponse http_get(std::uint16_t port, const std::string& path) {
  const Fd fd = connect_loopback(port);
  if (!fd) {
    return {};
  }
  const timeval patience{.tv_sec = 10, .tv_usec = 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  // HTTP/1.0: the answer ends where the connection does.
  const std::string request = fmt::format("GET {} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n", path);
  if (send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0) {
    return {};
  }
  std::string answer;
  std::array<char, 65536> buffer;
  for (ssize_t n; (n = recv(fd.get(), buffer.data(), buffer.size(), 0)) > 0;) {
    answer.append(buffer.data(), static_cast<std::size_t>(n));
  }
  const std::size_t status = answer.find(' ');
  const std::size_t body = answer.find("\r\n\r\n");
  if (status == std::string::npos || body == std::string::npos) {
    return {};
  }
  return {.status = std::atoi(answer.c_str() + status + 1), .body = answer.substr(body + 4)};
}

double metric_total(const std::string& page, const std::string& metric, const std::string& label) {
  double total = 0;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    const auto value = line.rfind(' ');
    if (value == std::string::npos || !line.starts_with(metric)) continue;
    const std::string series = line.substr(0, value);
    if (series.size() > metric.size() && series[metric.size()] != '{') continue;
    if (series.find(label) != std::string::npos) total += std::stod(line.substr(value + 1));
  }
  return total;
}

}  // namespace stock::support
