#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

#include "absl/status/status.h"

namespace stockctl {

// Counts are at most this; so are single quantities.
inline constexpr std::int64_t kMaxCount = 1'000'000'000'000'000;

struct StockKey {
  std::string sku;
  std::string location;

  friend bool operator==(const StockKey&, const StockKey&) = default;
};

// OK when `name` is 1 to 64 bytes of printable UTF-8, else says what is wrong; `what` is its name
// for people.
absl::Status check_name(std::string_view what, std::string_view name);

// Numbers strings from 0 in order of their first appearance, so that a large file's lines can refer
// to them in a few bytes. Strings stay where they are for the table's life.
class StringTable {
 public:
  StringTable() = default;
  // Moved only: the index holds views of the strings.
  StringTable(StringTable&&) = default;
  StringTable& operator=(StringTable&&) = default;

  std::uint32_t number_of(std::string_view text);
  const std::string& operator[](std::uint32_t number) const { return texts_[number]; }
  std::size_t size() const { return texts_.size(); }

 private:
  std::deque<std::string> texts_;
  std::unordered_map<std::string_view, std::uint32_t> numbers_;
};

// The same for keys.
class KeyTable {
 public:
  std::uint32_t number_of(std::string_view sku, std::string_view location);
  StockKey operator[](std::uint32_t number) const;
  const std::string& sku(std::uint32_t number) const { return skus_[keys_[number].sku]; }
  const std::string& location(std::uint32_t number) const {
    return locations_[keys_[number].location];
  }
  std::size_t size() const { return keys_.size(); }
  // In order of first appearance.
  const StringTable& locations() const { return locations_; }

 private:
  struct Pair {
    std::uint32_t sku;
    std::uint32_t location;
  };

  StringTable skus_;
  StringTable locations_;
  std::deque<Pair> keys_;
  std::unordered_map<std::uint64_t, std::uint32_t> numbers_;
};

}  // namespace stockctl
