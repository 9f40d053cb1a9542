#pragma once

#include <chrono>

#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "stockctl/text/format.h"

namespace stockctl {

inline Instant to_instant(const google::protobuf::Timestamp& time) {
  return Instant(std::chrono::seconds(time.seconds()) + std::chrono::nanoseconds(time.nanos()));
}

inline google::protobuf::Timestamp to_proto(Instant instant) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(instant.time_since_epoch());
  google::protobuf::Timestamp result;
  result.set_seconds(seconds.count());
  result.set_nanos(static_cast<int>((instant.time_since_epoch() - seconds).count()));
  return result;
}

inline std::chrono::nanoseconds to_chrono(const google::protobuf::Duration& duration) {
  return std::chrono::seconds(duration.seconds()) + std::chrono::nanoseconds(duration.nanos());
}

inline google::protobuf::Duration to_proto(std::chrono::nanoseconds duration) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration);
  google::protobuf::Duration result;
  result.set_seconds(seconds.count());
  result.set_nanos(static_cast<int>((duration - seconds).count()));
  return result;
}

}  // namespace stockctl
