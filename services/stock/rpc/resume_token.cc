#include "stock/rpc/resume_token.h"

#include <cstddef>

#include "absl/strings/escaping.h"

namespace stock::rpc {
namespace {

// Tokens of writes begin with 1.
constexpr char kFormat = 2;
// More than a snapshot with a thousand running transactions needs.
constexpr std::size_t kMaxCharacters = 64 << 10;

// Big-endian.
void put(std::uint64_t number, std::string& out) {
  for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(number >> shift & 0xFF);
}

void put(std::string_view text, std::string& out) {
  put(text.size(), out);
  out += text;
}

// Takes fields off the front; once something is missing, everything is.
class Taker {
 public:
  explicit Taker(std::string_view bytes) : bytes_(bytes) {}

  std::uint64_t number() {
    std::uint64_t value = 0;
    for (const char c : bytes(sizeof value)) value = value << 8 | static_cast<std::uint8_t>(c);
    return value;
  }
  std::string_view text() { return bytes(number()); }
  // Everything was there, and no more.
  [[nodiscard]] bool good() const { return good_ && bytes_.empty(); }

 private:
  std::string_view bytes(std::uint64_t n) {
    good_ = good_ && n <= bytes_.size();
    if (!good_) return {};
    const std::string_view front = bytes_.substr(0, n);
    bytes_.remove_prefix(n);
    return front;
  }
  std::string_view bytes_;
  bool good_ = true;
};

}  // namespace

// FNV-1a, 64 bits.
std::uint64_t digest(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001b3;
  return hash;
}

std::string make_resume_token(const ResumeToken& token) {
  std::string bytes(1, kFormat);
  put(token.ledger, bytes);
  put(token.incarnation, bytes);
  put(token.request, bytes);
  put(token.since.text(), bytes);
  put(token.through ? token.through->text() : "", bytes);
  put(token.after.sku, bytes);
  put(token.after.location, bytes);
  put(static_cast<std::uint64_t>(token.after_version), bytes);
  put(digest(bytes), bytes);
  return absl::WebSafeBase64Escape(bytes);
}

std::optional<ResumeToken> read_resume_token(std::string_view text) {
  std::string bytes;
  if (text.size() > kMaxCharacters || !absl::WebSafeBase64Unescape(std::string(text), &bytes) ||
      bytes.size() <= sizeof(std::uint64_t) || bytes.front() != kFormat ||
      absl::WebSafeBase64Escape(bytes) != text) {
    return std::nullopt;
  }
  const std::size_t body = bytes.size() - sizeof(std::uint64_t);
  Taker checksum(std::string_view(bytes).substr(body));
  if (checksum.number() != digest(std::string_view(bytes).substr(0, body))) return std::nullopt;
  Taker fields(std::string_view(bytes).substr(1, body - 1));
  ResumeToken token;
  token.ledger = fields.number();
  token.incarnation = fields.number();
  token.request = fields.number();
  auto since = domain::Snapshot::parse(fields.text());
  const std::string_view through = fields.text();
  if (!through.empty()) token.through = domain::Snapshot::parse(through);
  token.after.sku = fields.text();
  token.after.location = fields.text();
  token.after_version = static_cast<domain::Version>(fields.number());
  if (!fields.good() || !since || token.through.has_value() == through.empty()) return std::nullopt;
  token.since = *std::move(since);
  return token;
}

}  // namespace stock::rpc
