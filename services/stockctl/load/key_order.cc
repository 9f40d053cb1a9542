#include "stockctl/load/key_order.h"

#include <utility>

namespace stockctl {

bool KeyOrder::begin(std::uint32_t line, std::uint32_t key) {
  Queue& queue = keys_[key];
  if (!std::exchange(queue.under_way, true)) return true;
  if (queue.first == kNone) {
    queue.first = line;
  } else {
    next_[queue.last] = line;
  }
  queue.last = line;
  return false;
}

std::optional<std::uint32_t> KeyOrder::end(std::uint32_t key) {
  Queue& queue = keys_[key];
  if (queue.first == kNone) {
    queue.under_way = false;
    return std::nullopt;
  }
  const std::uint32_t line = queue.first;
  queue.first = next_[line];
  return line;
}

}  // namespace stockctl
