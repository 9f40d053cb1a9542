#include "stock/redis/command.h"

#include <fmt/format.h>

namespace stock::redis {

Command::Command(std::size_t arguments) {
  constexpr std::size_t kUsualBytes = 64;  // of an argument that names a key
  bytes_.reserve(arguments * kUsualBytes);
  append_header('*', arguments);
}

Command& Command::add(std::string_view argument) {
  append_header('$', argument.size());
  bytes_ += argument;
  bytes_ += "\r\n";
  return *this;
}

void Command::append_header(char kind, std::size_t number) {
  const fmt::format_int digits(number);
  bytes_ += kind;
  bytes_.append(digits.data(), digits.size());
  bytes_ += "\r\n";
}

}  // namespace stock::redis
