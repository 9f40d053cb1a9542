#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace stockctl {

// The text in lines of at most `width` columns, broken at spaces; a word that is longer by itself
// is broken where it has to be. No line is empty, but that of an empty text.
std::vector<std::string> wrapped(std::string_view text, std::size_t width);

}  // namespace stockctl
