// A PostgreSQL server as the local stack runs it, with the newest schema in it; and a standby that
// streams from one. Not flushed to disk: these servers are killed, the machine is not.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "support/server.h"
#include "support/sql.h"

namespace stock::support {

class PostgresServer : public Server {
 public:
  // Such as "max_connections=20".
  using Settings = std::vector<std::string>;

  // `environment`: on top of the test program's own.
  explicit PostgresServer(Settings settings = {},
                          const std::map<std::string, std::string>& environment = {});

  [[nodiscard]] std::string url(const std::string& role = "stock_writer") const;

  // A connection of its own per call, as superuser unless another role is named.
  [[nodiscard]] Sql connect(const std::string& role = "postgres") const { return Sql(url(role)); }

  // Makes a cluster with the newest schema in `data`, and leaves it shut down.
  static void make_cluster(const std::filesystem::path& data);

 protected:
  // `arguments`: those of deploy/local/postgres that are the role's.
  void run(std::string role, std::vector<std::string> arguments, const Settings& settings,
           const std::map<std::string, std::string>& environment = {});

 private:
  [[nodiscard]] std::vector<std::string> bare_command(
      const std::map<std::string, std::string>& environment,
      const std::vector<std::string>& arguments, std::uint16_t port) const;

  struct Empty {};
  friend class PostgresReplica;
  explicit PostgresServer(Empty) {}
};

class PostgresReplica : public PostgresServer {
 public:
  // `primary_port` may be that of a TcpGate before the primary. Follows when this returns.
  explicit PostgresReplica(std::uint16_t primary_port, const Settings& settings = {});
};

}  // namespace stock::support
