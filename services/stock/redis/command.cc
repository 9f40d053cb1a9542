#include "stock/redis/command.h"

#include <fmt/format.h>

#include <iterator>

namespace stock::redis {

Command::Command(std::size_t arguments) : bytes_(fmt::format("*{}\r\n", arguments)) {}

Command& Command::add(std::string_view argument) {
  fmt::format_to(std::back_inserter(bytes_), "${}\r\n{}\r\n", argument.size(), argument);
  return *this;
}

}  // namespace stock::redis
