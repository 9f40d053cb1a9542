#include "stock/redis/codec.h"

#include <fmt/format.h>

#include <bit>
#include <cstdint>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace stock::redis {
namespace {

constexpr std::string_view kMagic = "SWL2";
constexpr std::uint8_t kExists = 1;
constexpr std::size_t kNumberBytes = 8;

class Checksum {
 public:
  void add(std::string_view bytes) {
    for (const char byte : bytes) add(static_cast<std::uint8_t>(byte));
  }
  void add(std::uint8_t byte) { hash_ = (hash_ ^ byte) * 0x100000001b3; }
  [[nodiscard]] std::uint64_t value() const { return hash_; }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325;
};

std::uint64_t checksum(const domain::Key& key, std::string_view payload) {
  Checksum sum;
  sum.add(static_cast<std::uint8_t>(key.location.size()));  // names have up to 64 bytes
  sum.add(key.location);
  sum.add(key.sku);
  sum.add(payload);
  return sum.value();
}

void append(std::string& out, std::uint64_t number) {
  for (std::size_t i = 0; i < kNumberBytes; ++i) out += static_cast<char>(number >> (8 * i));
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
  std::uint64_t unsigned_number() {
    static_assert(std::endian::native == std::endian::little);
    std::uint64_t number = 0;
    std::memcpy(&number, text(kNumberBytes).data(), sizeof number);
    return number;
  }
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

std::string encode_key(domain::Incarnation incarnation, const domain::Key& key) {
  return absl::StrCat("stock:", absl::Hex(incarnation, absl::kZeroPad16), ":", key.location.size(),
                      ":", key.location, ":", key.sku);
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

absl::StatusOr<domain::Reading> decode_value(domain::Incarnation incarnation,
                                             const domain::Key& key, std::string_view value) {
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
  domain::Reading reading;
  reading.exists = flags == kExists;
  reading.version = in.number();
  reading.as_of = in.time();
  reading.true_through = in.time();
  reading.incarnation = in.unsigned_number();
  reading.heartbeat = in.number();
  reading.counts.on_hand = in.number();
  reading.counts.reserved = in.number();
  reading.counts.committed = in.number();
  reading.counts.safety_stock = in.number();
  reading.counts.backorder_limit = in.number();
  reading.earliest_expiry = in.time();
  if (in.unsigned_number() != checksum(key, payload)) {
    return refused("a checksum that does not fit its key and content");
  }
  if (flags > kExists) return refused("flags that do not exist");
  if (reading.incarnation != incarnation) return refused("of another incarnation");
  if (const absl::Status status = validate(reading); !status.ok()) return status;
  return reading;
}

}  // namespace stock::redis
