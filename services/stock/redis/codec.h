// What a dated copy looks like in Redis. Pure.
//
// Key: "stock:3:{incarnation, 16 hex digits}:{bytes of location}:{location}:{sku}", to be read in
// redis-cli, and injective whatever colons the names hold. A key belongs to one incarnation, so
// that neither a copied cluster nor an older history shares a copy with this one; and to one format
// of values, 3, so that processes with different ones never meet: what the others left is not
// found.
//
// Value: 101 bytes, numbers little endian:
//
//   offset  bytes
//        0      4  "SWL3"
//        4      1  flags: 1 when the level exists; no others
//        5      8  version
//       13      8  as_of, µs since the epoch
//       21      8  true_through, µs since the epoch
//       29      8  incarnation
//       37      8  heartbeat
//       45     40  on_hand, reserved, committed, safety_stock, backorder_limit
//       85      8  earliest expiry, µs since the epoch; 0: none, or not known
//       93      8  checksum
//
// The checksum is MurmurHash64A (Austin Appleby), eight bytes at a time: of the location, seeded
// with 0, of the sku, seeded with that, and of all before it in the value, seeded with that. It
// finds accidents (any change confined to one byte for certain) and values that stand under
// another's key. It is none against forgers; those are the auditor's business.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "stock/domain/key.h"
#include "stock/domain/reading.h"

namespace stock::redis {

inline constexpr std::size_t kValueBytes = 101;

// The keys of one incarnation, one after the other in the same place. Those of one location in a
// row begin alike, and cost little.
class KeyEncoder {
 public:
  explicit KeyEncoder(domain::Incarnation incarnation);

  // Valid until the next call.
  std::string_view operator()(const domain::Key& key);

 private:
  const std::string prefix_;
  std::optional<std::string> location_;  // of the last one
  std::string text_;
  std::size_t shared_bytes_ = 0;  // of the text, with all keys of that location
};

[[nodiscard]] std::string encode_key(domain::Incarnation incarnation, const domain::Key& key);

[[nodiscard]] std::string encode_value(const domain::Key& key, const domain::Reading& reading);

// The reading in `value`, found under `key` of `incarnation`. DATA_LOSS when it is not one; the
// message says why not, and `out` may be anything.
[[nodiscard]] absl::Status decode_value(domain::Incarnation incarnation, const domain::Key& key,
                                        std::string_view value, domain::Reading& out);

}  // namespace stock::redis
