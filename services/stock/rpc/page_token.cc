#include "stock/rpc/page_token.h"

#include <fmt/format.h>

#include <cstdint>

#include "absl/strings/escaping.h"

namespace stock::rpc {
namespace {

constexpr std::size_t kChecksumBytes = 16;

// FNV-1a, 64 bits: against accidents, not against forgers, who gain nothing.
std::string checksum(std::string_view query, std::string_view body) {
  std::uint64_t hash = 0xcbf29ce484222325;
  const auto add = [&](std::string_view text) {
    for (const char c : text) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001b3;
  };
  add(query);
  add(std::string_view("\0", 1));
  add(body);
  return fmt::format("{:016x}", hash);
}

}  // namespace

std::string make_page_token(std::string_view query, const std::vector<std::string>& position) {
  std::string body;
  for (const std::string& part : position) {
    body += static_cast<char>(part.size());  // names have 64 bytes at most
    body += part;
  }
  return absl::WebSafeBase64Escape(checksum(query, body) + body);
}

std::optional<std::vector<std::string>> read_page_token(std::string_view query,
                                                        std::string_view token) {
  std::string bytes;
  if (!absl::WebSafeBase64Unescape(std::string(token), &bytes)) return std::nullopt;
  if (bytes.size() < kChecksumBytes) return std::nullopt;
  std::string_view body = std::string_view(bytes).substr(kChecksumBytes);
  if (bytes.substr(0, kChecksumBytes) != checksum(query, body)) return std::nullopt;
  std::vector<std::string> position;
  while (!body.empty()) {
    const auto size = static_cast<std::uint8_t>(body.front());
    if (body.size() < 1U + size) return std::nullopt;
    position.emplace_back(body.substr(1, size));
    body.remove_prefix(1U + size);
  }
  return position;
}

}  // namespace stock::rpc
