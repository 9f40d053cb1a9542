// Levels as they are on the wire.
//
// An answer has up to a thousand levels, each of four messages. To make these, measure and write
// them was a quarter of what a key of a batch in memory costs (tests/bench/NOTES.md). So the levels
// of an answer are written at once. The bytes are those that protobuf would write of a
// v1::StockLevel.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "stock/domain/key.h"
#include "stock/domain/reading.h"
#include "stock/v1/flags.pb.h"

namespace stock::rpc {

// What an answer says of one level.
struct LevelWords {
  const domain::Key& key;  // a valid one
  const domain::Reading& reading;
  std::chrono::microseconds age;  // of the reading
  // Of reads of the past.
  std::optional<domain::DatabaseTime> seen_by = {};
  bool in_transition = false;
  const v1::FlaggedAvailability* flagged = nullptr;  // null: for no cohort
};

// Of one answer after the other, or of one thread.
class LevelWriter {
 public:
  // Appends the level to the bytes of a message in which `field` holds it, or is repeated.
  void append(int field, const LevelWords& level, std::string& message);

 private:
  // What one layer says at a time is of one age: the dates of the level before.
  std::span<const std::uint8_t> dates(const LevelWords& level);

  std::optional<domain::DatabaseTime> true_through_;
  std::chrono::microseconds age_{0};
  std::array<std::uint8_t, 48> dates_;  // the first dates_size_ of them
  std::size_t dates_size_ = 0;
};

}  // namespace stock::rpc
