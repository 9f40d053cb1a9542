#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace stockctl {

// Lets lines of different keys overtake each other, but keeps the lines of one key in order: at
// most one of them is under way, the next waits for its end. Lines and keys are numbers. One
// thread.
class KeyOrder {
 public:
  KeyOrder(std::size_t lines, std::size_t keys) : next_(lines, kNone), keys_(keys) {}

  // True when `line` may begin now; else it waits for the lines of its key before it.
  bool begin(std::uint32_t line, std::uint32_t key);

  // The line of `key` that was under way has ended: the next one of it, which is under way from now
  // on, if one waits.
  std::optional<std::uint32_t> end(std::uint32_t key);

 private:
  static constexpr std::uint32_t kNone = 0xffffffff;

  struct Queue {
    bool under_way = false;
    std::uint32_t first = kNone;
    std::uint32_t last = kNone;
  };

  // For each waiting line, the one that waits behind it.
  std::vector<std::uint32_t> next_;
  std::vector<Queue> keys_;
};

}  // namespace stockctl
