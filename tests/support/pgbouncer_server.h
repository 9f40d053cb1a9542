// PgBouncer before a PostgreSQL server, which it lets everyone into as who they say they are.
#pragma once

#include <cstdint>
#include <string>

#include "support/server.h"

namespace stock::support {

class PgBouncerServer : public Server {
 public:
  // `pool_mode`: as PgBouncer calls it, "session" or "transaction".
  PgBouncerServer(std::uint16_t postgres_port, const std::string& pool_mode);

  [[nodiscard]] std::string url(const std::string& role = "stock_writer") const;
};

}  // namespace stock::support
