// A Redis server as the local stack runs it: bounded, and empty at each start.
#pragma once

#include <string>

#include "support/server.h"

namespace stock::support {

class RedisServer : public Server {
 public:
  RedisServer();

  [[nodiscard]] std::string url() const;

  // One command, with redis-cli: its answer, without the newline at its end.
  std::string command(const std::vector<std::string>& words);
};

}  // namespace stock::support
