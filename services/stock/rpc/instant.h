// Instants of the past that requests name.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "google/protobuf/timestamp.pb.h"
#include "stock/domain/time.h"
#include "stock/rpc/errors.h"

namespace stock::rpc {

// What is wrong with the field, if something is.
inline std::optional<Failure> from_proto(const google::protobuf::Timestamp& message,
                                         const std::string& field, domain::DatabaseTime& out) {
  // What a Timestamp can hold, by its definition.
  constexpr std::int64_t kFirst = -62'135'596'800;
  constexpr std::int64_t kLast = 253'402'300'799;
  if (message.seconds() < kFirst || message.seconds() > kLast || message.nanos() < 0 ||
      message.nanos() > 999'999'999) {
    return bad_field(field, "is no timestamp between the years 1 and 9999");
  }
  out = domain::DatabaseTime(std::chrono::microseconds(std::chrono::seconds(message.seconds())) +
                             std::chrono::duration_cast<std::chrono::microseconds>(
                                 std::chrono::nanoseconds(message.nanos())));
  return std::nullopt;
}

}  // namespace stock::rpc
