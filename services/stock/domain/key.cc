#include "stock/domain/key.h"

#include <fmt/format.h>

#include <cstdint>

namespace stock::domain {
namespace {

// The length of the well-formed UTF-8 sequence at the start of `text`, and its code point; 0 when
// there is none (overlong forms, surrogates and what lies beyond U+10FFFF are not well-formed).
std::size_t decode(std::string_view text, std::uint32_t& code) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) {
    code = lead;
    return 1;
  }
  std::size_t length = 0;
  std::uint32_t least = 0;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2, least = 0x80, code = lead & 0x1F;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3, least = 0x800, code = lead & 0x0F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4, least = 0x10000, code = lead & 0x07;
  } else {
    return 0;
  }
  if (text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
    code = code << 6 | (byte(i) & 0x3F);
  }
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  return code < least || code > 0x10FFFF || surrogate ? 0 : length;
}

// The length of the printable character at the start of `text`; 0 when there is none.
std::size_t printable_at(std::string_view text) {
  std::uint32_t code = 0;
  const std::size_t length = decode(text, code);
  const bool control = code < 0x20 || (code >= 0x7F && code < 0xA0);
  return control ? 0 : length;
}

bool printable(std::string_view text) {
  while (!text.empty()) {
    // Nearly always: a character of ASCII.
    const bool plain = text.front() >= 0x20 && text.front() < 0x7F;
    const std::size_t length = plain ? 1 : printable_at(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace

absl::Status validate_name(std::string_view what, std::string_view value) {
  if (value.empty()) return absl::InvalidArgumentError(fmt::format("{} is missing", what));
  return validate_text(what, value, kMaxNameBytes);
}

std::string made_printable(std::string_view text) {
  std::string made;
  while (!text.empty()) {
    const std::size_t length = printable_at(text);
    made += length == 0 ? "?" : text.substr(0, length);
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return made;
}

absl::Status validate_text(std::string_view what, std::string_view value, std::size_t max_bytes) {
  if (value.size() > max_bytes) {
    return absl::InvalidArgumentError(
        fmt::format("{} has {} bytes; at most {} are allowed", what, value.size(), max_bytes));
  }
  if (!printable(value)) {
    return absl::InvalidArgumentError(
        fmt::format("{} must be UTF-8 without control characters", what));
  }
  return absl::OkStatus();
}

}  // namespace stock::domain
