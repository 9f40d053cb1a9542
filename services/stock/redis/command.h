// A command in Redis's own protocol. Written by the threads that ask, so that the one thread that
// talks to Redis only has to pass bytes on.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace stock::redis {

class Command {
 public:
  explicit Command(std::size_t arguments);  // the command's name included

  // Any bytes. Call it once for each argument.
  Command& add(std::string_view argument);

  [[nodiscard]] std::string take() { return std::move(bytes_); }

 private:
  void append_header(char kind, std::size_t number);

  std::string bytes_;
};

}  // namespace stock::redis
