// What hiredis makes of Redis's answers, without an allocation for each part of one: replies of its
// own form, whose parts lie in one buffer, which the next reply takes again.
//
// Belongs to one connection, and to the thread of its loop; outlives its reader.
#pragma once

#include <array>
#include <cstddef>
#include <memory_resource>

struct redisReader;

namespace stock::redis {

class Replies {
 public:
  Replies() = default;
  Replies(const Replies&) = delete;
  Replies& operator=(const Replies&) = delete;

  // From now on the replies that `reader` makes lie here. Each is valid until the next one begins;
  // to free it does nothing.
  void make_those_of(redisReader& reader);

 private:
  friend struct ReplyParts;

  // Enough for the copies of a flight. What a larger answer needs besides lives as long as that.
  static constexpr std::size_t kUsualBytes = 64 << 10;
  alignas(std::max_align_t) std::array<std::byte, kUsualBytes> usual_;
  std::pmr::monotonic_buffer_resource memory_{usual_.data(), usual_.size()};
};

}  // namespace stock::redis
