#include "support/postgres_server.h"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <unistd.h>

#include <stdexcept>
#include <thread>

#include "support/eventually.h"
#include "support/paths.h"
#include "support/postgres_template.h"

namespace stock::support {
namespace {

std::string url_of(std::uint16_t port, const std::string& role, const std::string& database) {
  return fmt::format("postgresql://{}@127.0.0.1:{}/{}", role, port, database);
}

bool accepts_connections(std::uint16_t port) {
  return PQping(url_of(port, "postgres", "postgres").c_str()) == PQPING_OK;
}

bool streams(const PostgresServer& replica) {
  return replica.connect().number(
             "SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming'") == 1;
}

}  // namespace

PostgresServer::PostgresServer(Settings settings,
                               const std::map<std::string, std::string>& environment) {
  run_command({"cp", "--archive", "--reflink=auto", postgres_template(), dir() / "data"},
              dir() / "copy.log");
  run("primary", {}, settings, environment);
}

std::string PostgresServer::url(const std::string& role) const {
  return url_of(port(), role, "stock");
}

void PostgresServer::run(std::string role, std::vector<std::string> arguments,
                         const Settings& settings,
                         const std::map<std::string, std::string>& environment) {
  arguments.insert(arguments.end(), {"--", "-c", "fsync=off"});
  for (const std::string& setting : settings) {
    arguments.insert(arguments.end(), {"-c", setting});
  }
  start_first({.name = role,
               .command =
                   [this, role, arguments, environment](std::uint16_t port) {
                     if (!environment.empty()) return bare_command(environment, arguments, port);
                     std::vector<std::string> command = {local_script("postgres"), role,
                                                         dir() / "data", std::to_string(port)};
                     command.insert(command.end(), arguments.begin(), arguments.end());
                     return command;
                   },
               .ready = accepts_connections,
               .stop_signal = SIGINT});  // PostgreSQL's fast shutdown: clients are not waited for
}

// What deploy/local/postgres ends as. The environment is for the server alone: what is preloaded
// into the script, as root, would be in the way of what is preloaded into the server.
std::vector<std::string> PostgresServer::bare_command(
    const std::map<std::string, std::string>& environment,
    const std::vector<std::string>& arguments, std::uint16_t port) const {
  std::vector<std::string> command;
  if (geteuid() == 0) {
    command = {"setpriv",       "--reuid=postgres", "--regid=postgres",
               "--init-groups", "--pdeathsig=keep", "--"};
  }
  command.emplace_back("env");
  for (const auto& [name, value] : environment) command.push_back(name + "=" + value);
  command.insert(command.end(), {"/usr/lib/postgresql/15/bin/postgres", "-D", dir() / "data", "-p",
                                 std::to_string(port)});
  // Without the "--" that parts them from the script's own.
  command.insert(command.end(), arguments.begin() + 1, arguments.end());
  return command;
}

void PostgresServer::make_cluster(const std::filesystem::path& data) {
  PostgresServer server{Empty{}};
  server.run("primary", {}, {});
  run_command({local_script("migrate"), std::to_string(server.port())},
              server.dir() / "migrate.log");
  if (server.stop() != 0) {
    throw std::runtime_error("the cluster was not shut down: " + server.process().log_tail());
  }
  std::filesystem::rename(server.dir() / "data", data);
}

PostgresReplica::PostgresReplica(std::uint16_t primary_port, const Settings& settings)
    : PostgresServer(Empty{}) {
  run("replica", {std::to_string(primary_port)}, settings);
  const auto following = eventually([&] { return streams(*this); });
  if (!following) {
    throw std::runtime_error(fmt::format("the replica does not follow ({}): {}",
                                         following.message(), process().log_tail()));
  }
}

}  // namespace stock::support
