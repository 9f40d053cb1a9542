#include "stock/rpc/level_wire.h"

#include <google/protobuf/io/coded_stream.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "stock/rpc/convert.h"
#include "stock/v1/level.pb.h"
#include "stock/v1/provenance.pb.h"

namespace stock::rpc {
namespace {

using google::protobuf::Duration;
using google::protobuf::Timestamp;
using google::protobuf::io::CodedOutputStream;
using Bytes = std::uint8_t*;

// https://protobuf.dev/programming-guides/encoding: a field is its number and its type, and what it
// holds; what is 0 is left out. All numbers here are below 16, and so of one byte.
enum WireType : std::uint8_t { kVarint = 0, kLengthDelimited = 2 };

constexpr std::uint8_t tag(int field, WireType type) {
  return static_cast<std::uint8_t>(field << 3 | type);
}

Bytes put(int field, std::int64_t value, Bytes out) {
  if (value == 0) return out;
  *out++ = tag(field, kVarint);
  return CodedOutputStream::WriteVarint64ToArray(static_cast<std::uint64_t>(value), out);
}

Bytes put(int field, const std::string& text, Bytes out) {
  *out++ = tag(field, kLengthDelimited);
  static_assert(domain::kMaxNameBytes < 128);  // so that its length is one byte
  *out++ = static_cast<std::uint8_t>(text.size());
  // Its length is before it. NOLINTNEXTLINE(bugprone-not-null-terminated-result)
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

// A message that `fill` writes, of less than 128 bytes, so that its length is one.
template <typename Fill>
Bytes put_message(int field, Bytes out, Fill fill) {
  *out = tag(field, kLengthDelimited);
  auto* const begin = out + 2;
  auto* const end = fill(begin);
  out[1] = static_cast<std::uint8_t>(end - begin);
  return end;
}

// A Timestamp or a Duration, whose fields are the same.
Bytes put_time(int field, std::chrono::microseconds time, Bytes out) {
  static_assert(int{Timestamp::kSecondsFieldNumber} == int{Duration::kSecondsFieldNumber} &&
                int{Timestamp::kNanosFieldNumber} == int{Duration::kNanosFieldNumber});
  return put_message(field, out, [time](Bytes to) {
    const auto whole = std::chrono::floor<std::chrono::seconds>(time);
    to = put(Timestamp::kSecondsFieldNumber, whole.count(), to);
    return put(Timestamp::kNanosFieldNumber, std::chrono::nanoseconds(time - whole).count(), to);
  });
}

Bytes put_time(int field, domain::DatabaseTime time, Bytes out) {
  return put_time(field, time.time_since_epoch(), out);
}

Bytes put_key(int field, const domain::Key& key, Bytes out) {
  *out++ = tag(field, kLengthDelimited);
  out = CodedOutputStream::WriteVarint32ToArray(
      static_cast<std::uint32_t>(2 + key.sku.size() + 2 + key.location.size()), out);
  out = put(v1::Key::kSkuFieldNumber, key.sku, out);
  return put(v1::Key::kLocationFieldNumber, key.location, out);
}

Bytes put_counts(int field, const domain::Counts& counts, Bytes out) {
  return put_message(field, out, [&counts](Bytes to) {
    to = put(v1::Counts::kOnHandFieldNumber, counts.on_hand, to);
    to = put(v1::Counts::kReservedFieldNumber, counts.reserved, to);
    to = put(v1::Counts::kCommittedFieldNumber, counts.committed, to);
    to = put(v1::Counts::kSafetyStockFieldNumber, counts.safety_stock, to);
    to = put(v1::Counts::kBackorderLimitFieldNumber, counts.backorder_limit, to);
    return put(v1::Counts::kAvailableFieldNumber, counts.available(), to);
  });
}

std::size_t head_bytes(std::size_t size) { return 1 + CodedOutputStream::VarintSize64(size); }

void append_head(int field, std::size_t size, std::string& message) {
  message.push_back(static_cast<char>(tag(field, kLengthDelimited)));
  std::array<std::uint8_t, 10> length;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  auto* const end = CodedOutputStream::WriteVarint64ToArray(size, length.data());
  message.append(reinterpret_cast<const char*>(length.data()),
                 static_cast<std::size_t>(end - length.data()));
}

// A number of ten bytes at most, with its tag; and a message of a time, of two such.
constexpr std::size_t kNumberBytes = 11;
constexpr std::size_t kTimeBytes = 2 + 2 * kNumberBytes;
constexpr std::size_t kKeyBytes = 3 + 2 * (2 + domain::kMaxNameBytes);
constexpr std::size_t kCountsBytes = 2 + 6 * kNumberBytes;
constexpr std::size_t kProvenanceBytes = 2 + 2 * kNumberBytes + 4 * kTimeBytes;
static_assert(kCountsBytes < 128 && kProvenanceBytes < 128);
constexpr std::size_t kLevelBytes =
    kKeyBytes + 2 * kNumberBytes + kCountsBytes + kProvenanceBytes + kTimeBytes;

}  // namespace

std::span<const std::uint8_t> LevelWriter::dates(const LevelWords& level) {
  using Message = v1::LevelProvenance;
  static_assert(std::tuple_size_v<decltype(dates_)> >= 2 * kTimeBytes);
  if (true_through_ != level.reading.true_through || age_ != level.age) {
    true_through_ = level.reading.true_through;
    age_ = level.age;
    Bytes end = put_time(Message::kTrueThroughFieldNumber, *true_through_, dates_.data());
    end = put_time(Message::kAgeFieldNumber, age_, end);
    dates_size_ = static_cast<std::size_t>(end - dates_.data());
  }
  return {dates_.data(), dates_size_};
}

void LevelWriter::append(int field, const LevelWords& level, std::string& message) {
  using Message = v1::StockLevel;
  const domain::Reading& reading = level.reading;
  std::array<std::uint8_t, kLevelBytes> bytes;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  Bytes out = put_key(Message::kKeyFieldNumber, level.key, bytes.data());
  out = put(Message::kExistsFieldNumber, reading.exists ? 1 : 0, out);
  out = put_counts(Message::kCountsFieldNumber, reading.counts, out);
  out = put(Message::kVersionFieldNumber, reading.version, out);
  out = put_message(Message::kProvenanceFieldNumber, out, [&](Bytes to) {
    using Provenance = v1::LevelProvenance;
    to = put(Provenance::kLayerFieldNumber, layer_of(reading.layer), to);
    if (reading.version > 0) to = put_time(Provenance::kAsOfFieldNumber, reading.as_of, to);
    to = std::ranges::copy(dates(level), to).out;
    if (level.seen_by) to = put_time(Provenance::kSeenByFieldNumber, *level.seen_by, to);
    return put(Provenance::kInTransitionFieldNumber, level.in_transition ? 1 : 0, to);
  });
  if (const auto expiry = first_expiry(reading)) {
    out = put_time(Message::kEarliestExpireTimeFieldNumber, *expiry, out);
  }
  const auto size = static_cast<std::size_t>(out - bytes.data());
  const std::size_t flagged = level.flagged == nullptr ? 0 : level.flagged->ByteSizeLong();
  append_head(field, size + (level.flagged == nullptr ? 0 : head_bytes(flagged) + flagged),
              message);
  message.append(reinterpret_cast<const char*>(bytes.data()), size);
  if (level.flagged == nullptr) return;
  append_head(Message::kFlaggedFieldNumber, flagged, message);
  level.flagged->AppendToString(&message);
}

}  // namespace stock::rpc
