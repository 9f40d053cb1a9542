#include "stock/rpc/token.h"

#include <algorithm>

#include "absl/strings/escaping.h"

namespace stock::rpc {
namespace {

constexpr char kFormat = 1;
constexpr std::size_t kChecksumBytes = 7;
constexpr std::size_t kBodyBytes = 1 + 3 * sizeof(std::uint64_t) + sizeof(domain::Uuid);
// A multiple of three, so that base64 has no bits to spare: each token has one spelling.
static_assert((kBodyBytes + kChecksumBytes) % 3 == 0);
static_assert((kBodyBytes + kChecksumBytes) / 3 * 4 == kTokenCharacters);

// Big-endian.
void put(std::uint64_t number, std::size_t bytes, std::string& out) {
  for (std::size_t i = bytes; i-- > 0;) out += static_cast<char>(number >> 8 * i & 0xFF);
}

std::uint64_t take(std::string_view& bytes) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < sizeof number; ++i) {
    number = number << 8 | static_cast<std::uint8_t>(bytes[i]);
  }
  bytes.remove_prefix(sizeof number);
  return number;
}

// FNV-1a, 64 bits, of which the lower 56 are kept.
std::string checksum(std::string_view body) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : body) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001b3;
  std::string bytes;
  put(hash, kChecksumBytes, bytes);
  return bytes;
}

}  // namespace

std::string make_token(const Token& token) {
  std::string bytes(1, kFormat);
  put(token.ledger, sizeof token.ledger, bytes);
  put(token.write.incarnation, sizeof token.write.incarnation, bytes);
  put(token.write.xid, sizeof token.write.xid, bytes);
  bytes.append(token.request.begin(), token.request.end());
  return absl::WebSafeBase64Escape(bytes + checksum(bytes));
}

std::optional<Token> read_token(std::string_view text) {
  std::string bytes;
  // A token of another length is not decoded, however long it is.
  if (text.size() != kTokenCharacters || !absl::WebSafeBase64Unescape(std::string(text), &bytes) ||
      bytes.size() != kBodyBytes + kChecksumBytes) {
    return std::nullopt;
  }
  std::string_view body = std::string_view(bytes).substr(0, kBodyBytes);
  if (body.front() != kFormat || bytes.substr(kBodyBytes) != checksum(body)) return std::nullopt;
  body.remove_prefix(1);
  Token token;
  token.ledger = take(body);
  token.write.incarnation = take(body);
  token.write.xid = take(body);
  std::ranges::copy(body, token.request.begin());
  return token;
}

}  // namespace stock::rpc
