#pragma once

#include <concepts>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace stockctl {

inline void append_part(std::string& text, std::string_view part) { text.append(part); }
inline void append_part(std::string& text, char part) { text.push_back(part); }
template <std::integral Number>
void append_part(std::string& text, Number part) {
  text.append(std::to_string(part));
}

// The parts (text, characters, whole numbers) one after the other. Stands in for absl::StrCat,
// whose string_view is not std::string_view where Abseil is built for C++14, as Debian's is.
template <typename... Parts>
std::string concat(const Parts&... parts) {
  std::string text;
  (append_part(text, parts), ...);
  return text;
}

// For the same reason.
inline std::string_view message_of(const absl::Status& status) {
  return {status.message().data(), status.message().size()};
}

}  // namespace stockctl
