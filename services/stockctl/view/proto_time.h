#pragma once

#include <chrono>

#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "stockctl/text/format.h"

namespace stockctl {

inline Instant to_instant(const google::protobuf::Timestamp& time) {
  return Instant(std::chrono::seconds(time.seconds()) + std::chrono::nanoseconds(time.nanos()));
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
