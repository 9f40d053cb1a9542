#pragma once

#include <cstddef>
#include <ostream>
#include <string>
#include <string_view>

namespace stockctl {

// How text may look where it goes.
struct Terminal {
  bool color = false;
  // In columns; 0 when lines may be as long as they like (files and pipes).
  std::size_t width = 0;
};

// What is true of an open file descriptor; no color when the environment says NO_COLOR or that the
// terminal is "dumb".
Terminal terminal_of(int fd);
bool is_terminal(int fd);

enum class Style { kPlain, kBold, kDim, kGreen, kYellow, kRed };

std::string styled(std::string_view text, Style style, const Terminal& terminal);

}  // namespace stockctl
