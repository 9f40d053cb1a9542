#include "stock/redis/command.h"

#include <array>
#include <charconv>

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
  std::array<char, 24> header;  // the kind, up to 20 digits, and the end of the line
  header[0] = kind;
  char* end = std::to_chars(header.data() + 1, header.data() + header.size() - 2, number).ptr;
  *end++ = '\r';
  *end++ = '\n';
  bytes_.append(header.data(), end);
}

}  // namespace stock::redis
