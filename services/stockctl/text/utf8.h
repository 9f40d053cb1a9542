#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace stockctl {

// Valid UTF-8 without control characters (C0, DEL, C1).
bool is_printable(std::string_view text);

// The same text with a replacement character for each byte that would not be printable: what others
// wrote must not steer the terminal of the person who reads it.
std::string printable(std::string_view text);

// How many columns a printable text takes in a terminal, all characters being taken as equally
// wide.
std::size_t width_of(std::string_view text);

// The text cut to at most `width` columns, the last of which is then an ellipsis.
std::string fitted(std::string_view text, std::size_t width);

}  // namespace stockctl
