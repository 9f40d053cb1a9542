#include "stock/redis/codec.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace stock::redis {
namespace {

constexpr const char* kKeyPrefix = "stock:3:";
constexpr std::string_view kMagic = "SWL3";
constexpr std::uint8_t kExists = 1;
constexpr std::size_t kNumberBytes = 8;

static_assert(std::endian::native == std::endian::little);

std::uint64_t load(const char* bytes) {
  std::uint64_t number = 0;
  std::memcpy(&number, bytes, kNumberBytes);
  return number;
}

// The last `count` bytes of `text`, fewer than a number has.
std::uint64_t load_last(std::string_view text, std::size_t count) {
  const char* const end = text.data() + text.size();
  if (text.size() >= kNumberBytes) {
    return load(end - kNumberBytes) >> (8 * (kNumberBytes - count));
  }
  std::uint64_t number = 0;
  for (std::size_t i = 1; i <= count; ++i) {
    number = number << 8 | static_cast<std::uint8_t>(*(end - i));
  }
  return number;
}

std::uint64_t murmur_hash_64a(std::string_view text, std::uint64_t seed) {
  constexpr std::uint64_t kMultiplier = 0xc6a4a7935bd1e995;
  constexpr int kShift = 47;
  std::uint64_t hash = seed ^ (text.size() * kMultiplier);
  const std::size_t rest = text.size() % kNumberBytes;
  for (std::size_t at = 0; at + rest < text.size(); at += kNumberBytes) {
    std::uint64_t word = load(text.data() + at) * kMultiplier;
    word = (word ^ (word >> kShift)) * kMultiplier;
    hash = (hash ^ word) * kMultiplier;
  }
  if (rest > 0) hash = (hash ^ load_last(text, rest)) * kMultiplier;
  hash = (hash ^ (hash >> kShift)) * kMultiplier;
  return hash ^ (hash >> kShift);
}

std::uint64_t checksum(const domain::Key& key, std::string_view payload) {
  return murmur_hash_64a(payload, murmur_hash_64a(key.sku, murmur_hash_64a(key.location, 0)));
}

void append(std::string& out, std::uint64_t number) {
  std::array<char, kNumberBytes> bytes;
  std::memcpy(bytes.data(), &number, bytes.size());
  out.append(bytes.data(), bytes.size());
}

void append(std::string& out, std::int64_t number) {
  append(out, static_cast<std::uint64_t>(number));
}

void append(std::string& out, domain::DatabaseTime time) {
  append(out, std::int64_t{time.time_since_epoch().count()});
}

// Takes a value apart, front to back. Its length has been checked.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  std::string_view text(std::size_t length) {
    const std::string_view text(rest_.data(), length);
    rest_.remove_prefix(length);
    return text;
  }
  std::uint8_t byte() { return static_cast<std::uint8_t>(text(1)[0]); }
  std::uint64_t unsigned_number() { return load(text(kNumberBytes).data()); }
  std::int64_t number() { return static_cast<std::int64_t>(unsigned_number()); }
  domain::DatabaseTime time() { return domain::DatabaseTime(std::chrono::microseconds(number())); }

 private:
  std::string_view rest_;
};

absl::Status refused(const std::string& why) { return absl::DataLossError(why); }

// What encode_value() writes of any reading that the ledger can give, and of no other.
absl::Status validate(const domain::Reading& reading) {
  if (reading.version < 0) return refused("a negative version");
  if (reading.exists && reading.version == 0) return refused("a level without a version");
  if (!domain::in_range(reading.counts)) return refused("a count out of range");
  if (!reading.exists && reading.counts != domain::Counts{}) return refused("counts of no level");
  if (reading.earliest_expiry < domain::DatabaseTime{})
    return refused("a hold that ends before all time");
  if (!reading.exists && reading.earliest_expiry != domain::DatabaseTime{}) {
    return refused("a hold of no level");
  }
  if (reading.heartbeat < 0) return refused("a negative heartbeat");
  return absl::OkStatus();
}

}  // namespace

KeyEncoder::KeyEncoder(domain::Incarnation incarnation)
    : prefix_(absl::StrCat(kKeyPrefix, absl::Hex(incarnation, absl::kZeroPad16), ":")) {}

std::string_view KeyEncoder::operator()(const domain::Key& key) {
  if (location_ != key.location) {
    location_ = key.location;
    text_ = absl::StrCat(prefix_, key.location.size(), ":", key.location, ":");
    shared_bytes_ = text_.size();
  }
  text_.resize(shared_bytes_);
  text_ += key.sku;
  return text_;
}

std::string encode_key(domain::Incarnation incarnation, const domain::Key& key) {
  return std::string(KeyEncoder(incarnation)(key));
}

std::string encode_value(const domain::Key& key, const domain::Reading& reading) {
  std::string value;
  value.reserve(kValueBytes);
  value += kMagic;
  value += static_cast<char>(reading.exists ? kExists : 0);
  append(value, reading.version);
  append(value, reading.as_of);
  append(value, reading.true_through);
  append(value, reading.incarnation);
  append(value, reading.heartbeat);
  append(value, reading.counts.on_hand);
  append(value, reading.counts.reserved);
  append(value, reading.counts.committed);
  append(value, reading.counts.safety_stock);
  append(value, reading.counts.backorder_limit);
  append(value, reading.earliest_expiry);
  append(value, checksum(key, value));
  return value;
}

absl::Status decode_value(domain::Incarnation incarnation, const domain::Key& key,
                          std::string_view value, domain::Reading& out) {
  if (value.substr(0, kMagic.size()) != kMagic) {
    return refused(fmt::format("{} bytes without our header", value.size()));
  }
  if (value.size() != kValueBytes) {
    return refused(fmt::format("{} bytes instead of {}", value.size(), kValueBytes));
  }
  Reader in(value);
  const std::string_view payload = value.substr(0, kValueBytes - kNumberBytes);
  in.text(kMagic.size());
  const std::uint8_t flags = in.byte();
  out = {};
  out.exists = flags == kExists;
  out.version = in.number();
  out.as_of = in.time();
  out.true_through = in.time();
  out.incarnation = in.unsigned_number();
  out.heartbeat = in.number();
  out.counts.on_hand = in.number();
  out.counts.reserved = in.number();
  out.counts.committed = in.number();
  out.counts.safety_stock = in.number();
  out.counts.backorder_limit = in.number();
  out.earliest_expiry = in.time();
  if (in.unsigned_number() != checksum(key, payload)) {
    return refused("a checksum that does not fit its key and content");
  }
  if (flags > kExists) return refused("flags that do not exist");
  if (out.incarnation != incarnation) return refused("of another incarnation");
  return validate(out);
}

}  // namespace stock::redis
