#include "support/redis_server.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <array>
#include <string_view>

#include "support/loopback.h"
#include "support/paths.h"

namespace stock::support {
namespace {

bool answers_ping(std::uint16_t port) {
  const Fd fd = connect_loopback(port);
  constexpr std::string_view kPing = "PING\r\n";
  std::array<char, 64> answer{};
  return fd && send(fd.get(), kPing.data(), kPing.size(), MSG_NOSIGNAL) > 0 &&
         recv(fd.get(), answer.data(), answer.size(), 0) > 0 &&
         std::string_view(answer.data()) == "+PONG\r\n";
}

}  // namespace

RedisServer::RedisServer() {
  start_first({.name = "redis",
               .command =
                   [this](std::uint16_t port) {
                     return std::vector<std::string>{local_script("redis"), dir() / "data",
                                                     std::to_string(port)};
                   },
               .ready = answers_ping});
}

std::string RedisServer::url() const { return fmt::format("redis://127.0.0.1:{}", port()); }

std::string RedisServer::command(const std::vector<std::string>& words) {
  std::vector<std::string> command = {"redis-cli", "-p", std::to_string(port())};
  command.insert(command.end(), words.begin(), words.end());
  std::string answer = command_output(command);
  while (!answer.empty() && answer.back() == '\n') {
    answer.pop_back();
  }
  return answer;
}

}  // namespace stock::support
