// A key names one stock count: a SKU at a location.
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace stock::domain {

inline constexpr std::size_t kMaxNameBytes = 64;

struct Key {
  std::string sku;
  std::string location;

  friend bool operator==(const Key&, const Key&) = default;
  // NOLINTNEXTLINE(modernize-use-nullptr): it takes the generated comparison with 0 for a pointer
  friend std::strong_ordering operator<=>(const Key&, const Key&) = default;

  template <typename H>
  friend H AbslHashValue(H h, const Key& key) {
    return H::combine(std::move(h), key.sku, key.location);
  }
};

// SKUs and location ids: 1 to 64 bytes of UTF-8 without control characters. `what` names the value
// in the error, which is INVALID_ARGUMENT.
absl::Status validate_name(std::string_view what, std::string_view value);

// UTF-8 without control characters, up to `max_bytes` bytes; may be empty.
absl::Status validate_text(std::string_view what, std::string_view value, std::size_t max_bytes);

// The text with a question mark in place of each byte that is no part of that.
std::string made_printable(std::string_view text);

}  // namespace stock::domain
