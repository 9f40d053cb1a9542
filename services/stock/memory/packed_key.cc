#include "stock/memory/packed_key.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace stock::memory {

PackedKey::PackedKey(const domain::Key& key)
    : sku_bytes_(static_cast<std::uint8_t>(key.sku.size())),
      location_bytes_(static_cast<std::uint8_t>(key.location.size())) {
  char* to = place_.data();
  if (bytes() > kInPlace) {
    to = new char[bytes()];
    std::memcpy(place_.data(), &to, sizeof to);
  }
  std::ranges::copy(key.location, std::ranges::copy(key.sku, to).out);
}

PackedKey::PackedKey(PackedKey&& other) noexcept { *this = std::move(other); }

PackedKey& PackedKey::operator=(PackedKey&& other) noexcept {
  if (this == &other) return *this;
  release();
  sku_bytes_ = std::exchange(other.sku_bytes_, 0);
  location_bytes_ = std::exchange(other.location_bytes_, 0);
  place_ = other.place_;
  return *this;
}

char* PackedKey::heap() const {
  char* text = nullptr;
  std::memcpy(&text, place_.data(), sizeof text);
  return text;
}

void PackedKey::release() {
  if (bytes() > kInPlace) delete[] heap();
}

}  // namespace stock::memory
