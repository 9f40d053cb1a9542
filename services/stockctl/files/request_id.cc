#include "stockctl/files/request_id.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <random>

namespace stockctl {
namespace {

using Bytes = std::array<std::uint8_t, 16>;

std::string uuid(Bytes bytes, int version) {
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | (version << 4));
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(36);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text.push_back('-');
    text.push_back(kDigits[bytes[i] >> 4]);
    text.push_back(kDigits[bytes[i] & 0x0f]);
  }
  return text;
}

}  // namespace

std::string random_request_id() {
  std::random_device random;
  Bytes bytes;
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
  return uuid(bytes, 4);
}

std::string request_id_of(const Sha256::Digest& file, std::string_view words) {
  Sha256 sha256;
  sha256.update(std::string_view(reinterpret_cast<const char*>(file.data()), file.size()));
  sha256.update(words);
  const Sha256::Digest digest = sha256.finish();
  Bytes bytes;
  std::copy_n(digest.begin(), bytes.size(), bytes.begin());
  return uuid(bytes, 8);
}

}  // namespace stockctl
