#include "stockctl/files/stock_key.h"

#include "stockctl/text/concat.h"
#include "stockctl/text/utf8.h"

namespace stockctl {

absl::Status check_name(std::string_view what, std::string_view name) {
  constexpr std::size_t kMaxBytes = 64;
  if (name.empty()) return absl::InvalidArgumentError(concat("the ", what, " is empty"));
  if (name.size() > kMaxBytes) {
    return absl::InvalidArgumentError(concat("the ", what, " is longer than 64 bytes"));
  }
  if (!is_printable(name)) {
    return absl::InvalidArgumentError(
        concat("the ", what, " \"", printable(name), "\" is not printable UTF-8"));
  }
  return absl::OkStatus();
}

std::uint32_t StringTable::number_of(std::string_view text) {
  if (const auto found = numbers_.find(text); found != numbers_.end()) return found->second;
  const auto number = static_cast<std::uint32_t>(texts_.size());
  numbers_.emplace(texts_.emplace_back(text), number);
  return number;
}

std::uint32_t KeyTable::number_of(std::string_view sku, std::string_view location) {
  const Pair pair{.sku = skus_.number_of(sku), .location = locations_.number_of(location)};
  const std::uint64_t both = std::uint64_t{pair.sku} << 32 | pair.location;
  const auto [at, added] = numbers_.try_emplace(both, static_cast<std::uint32_t>(keys_.size()));
  if (added) keys_.push_back(pair);
  return at->second;
}

StockKey KeyTable::operator[](std::uint32_t number) const {
  const Pair pair = keys_[number];
  return StockKey{.sku = skus_[pair.sku], .location = locations_[pair.location]};
}

}  // namespace stockctl
