#include "stockctl/text/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>

#include "stockctl/text/concat.h"

namespace stockctl {
namespace {

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string_view code_of(Style style) {
  switch (style) {
    case Style::kPlain:
      return "0";
    case Style::kBold:
      return "1";
    case Style::kDim:
      return "2";
    case Style::kGreen:
      return "32";
    case Style::kYellow:
      return "33";
    case Style::kRed:
      return "31";
  }
  return "0";
}

}  // namespace

bool is_terminal(int fd) { return isatty(fd) == 1; }

Terminal terminal_of(int fd) {
  if (!is_terminal(fd)) return {};
  constexpr std::size_t kUsualWidth = 80;
  winsize size{};
  const bool known = ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return {.color = environment("NO_COLOR").empty() && environment("TERM") != "dumb",
          .width = known ? size.ws_col : kUsualWidth};
}

std::string styled(std::string_view text, Style style, const Terminal& terminal) {
  if (!terminal.color || style == Style::kPlain || text.empty()) return std::string(text);
  return concat("\033[", code_of(style), 'm', text, "\033[0m");
}

}  // namespace stockctl
