// A key without a byte too many: up to 29 bytes of text in place, more of it on the heap.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "stock/domain/key.h"

namespace stock::memory {

class PackedKey {
 public:
  PackedKey() = default;
  // Names of up to 255 bytes; those of valid keys have 64 at most.
  explicit PackedKey(const domain::Key& key);
  ~PackedKey() { release(); }
  PackedKey(PackedKey&& other) noexcept;
  PackedKey& operator=(PackedKey&& other) noexcept;
  PackedKey(const PackedKey&) = delete;
  PackedKey& operator=(const PackedKey&) = delete;

  [[nodiscard]] std::string_view sku() const { return {text(), sku_bytes_}; }
  [[nodiscard]] std::string_view location() const { return {text() + sku_bytes_, location_bytes_}; }

  friend bool operator==(const PackedKey& a, const domain::Key& b) {
    return a.sku() == b.sku && a.location() == b.location;
  }

 private:
  static constexpr std::size_t kInPlace = 29;

  [[nodiscard]] std::size_t bytes() const {
    return static_cast<std::size_t>(sku_bytes_) + location_bytes_;
  }
  [[nodiscard]] const char* text() const { return bytes() <= kInPlace ? place_.data() : heap(); }
  [[nodiscard]] char* heap() const;
  void release();

  std::uint8_t sku_bytes_ = 0;
  std::uint8_t location_bytes_ = 0;
  std::array<char, kInPlace> place_{};  // the text, or where it is
};

}  // namespace stock::memory
