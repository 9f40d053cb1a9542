#include "stockctl/text/wrap.h"

#include <algorithm>

#include "stockctl/text/utf8.h"

namespace stockctl {
namespace {

// How many bytes of the text take `width` columns, at least one character.
std::size_t bytes_of(std::string_view text, std::size_t width) {
  std::size_t end = 0;
  for (std::size_t columns = 0; end < text.size() && columns < std::max<std::size_t>(width, 1);
       ++columns) {
    do ++end;
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80);
  }
  return end;
}

}  // namespace

std::vector<std::string> wrapped(std::string_view text, std::size_t width) {
  std::vector<std::string> lines;
  while (width_of(text) > width) {
    const std::size_t fits = bytes_of(text, width);
    // A space right behind the line will do as well.
    std::size_t end = text.rfind(' ', fits);
    if (end == std::string_view::npos || end == 0) end = fits;
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(text.find_first_not_of(' ', end), text.size()));
  }
  if (!text.empty() || lines.empty()) lines.emplace_back(text);
  return lines;
}

}  // namespace stockctl
