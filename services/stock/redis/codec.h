// What a dated copy looks like in Redis. Pure.
//
// Key: "stock:{incarnation, 16 hex digits}:{bytes of location}:{location}:{sku}", to be read in
// redis-cli, and injective whatever colons the names hold. A key belongs to one incarnation, so
// that neither a copied cluster nor an older history shares a copy with this one.
//
// Value: 101 bytes, numbers little endian:
//
//   offset  bytes
//        0      4  "SWL2"
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
// The checksum is FNV-1a, 64 bits, over the key's names and all before it. It finds accidents (any
// change confined to one byte for certain) and values that stand under another's key. It is none
// against forgers; those are the auditor's business.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "stock/domain/key.h"
#include "stock/domain/reading.h"

namespace stock::redis {

inline constexpr std::size_t kValueBytes = 101;

[[nodiscard]] std::string encode_key(domain::Incarnation incarnation, const domain::Key& key);

[[nodiscard]] std::string encode_value(const domain::Key& key, const domain::Reading& reading);

// The reading in `value`, found under `key` of `incarnation`. DATA_LOSS when it is not one; the
// message says why not.
[[nodiscard]] absl::StatusOr<domain::Reading> decode_value(domain::Incarnation incarnation,
                                                           const domain::Key& key,
                                                           std::string_view value);

}  // namespace stock::redis
