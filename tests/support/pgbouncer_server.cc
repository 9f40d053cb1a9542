#include "support/pgbouncer_server.h"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <unistd.h>

#include <fstream>
#include <vector>

namespace stock::support {
namespace {

constexpr const char* kConfiguration = R"([databases]
stock = host=127.0.0.1 port={postgres} dbname=stock
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {dir}/users
pool_mode = {mode}
default_pool_size = 60
)";

std::string url_of(std::uint16_t port, const std::string& role) {
  return fmt::format("postgresql://{}@127.0.0.1:{}/stock", role, port);
}

}  // namespace

PgBouncerServer::PgBouncerServer(std::uint16_t postgres_port, const std::string& pool_mode) {
  start_first(
      {.name = "pgbouncer",
       .command =
           [this, postgres_port, pool_mode](std::uint16_t port) {
             const std::string ini = dir() / "pgbouncer.ini";
             std::ofstream(ini) << fmt::format(
                 kConfiguration, fmt::arg("postgres", postgres_port), fmt::arg("port", port),
                 fmt::arg("dir", dir().native()), fmt::arg("mode", pool_mode));
             std::ofstream(dir() / "users") << "\"stock_writer\" \"\"\n\"stock_reader\" \"\"\n";
             std::vector<std::string> command = {"pgbouncer", "--quiet", ini};
             // It refuses to run as root.
             if (geteuid() == 0) {
               command.insert(command.begin(), {"setpriv", "--reuid=postgres", "--regid=postgres",
                                                "--init-groups", "--pdeathsig=keep", "--"});
             }
             return command;
           },
       .ready =
           [](std::uint16_t port) {
             return PQping(url_of(port, "stock_writer").c_str()) == PQPING_OK;
           },
       .stop_signal = SIGINT});
}

std::string PgBouncerServer::url(const std::string& role) const { return url_of(port(), role); }

}  // namespace stock::support
