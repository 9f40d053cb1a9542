// Has old copies come back in Redis, all the time, whatever else befalls it. A thread of its own.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

namespace stock::faults {

class Ghost {
 public:
  Ghost(std::uint16_t redis_port, std::uint64_t seed);
  ~Ghost();
  Ghost(const Ghost&) = delete;
  Ghost& operator=(const Ghost&) = delete;

 private:
  void run(std::uint16_t redis_port, std::uint64_t seed);
  bool pause();

  std::mutex mutex_;
  std::condition_variable stop_;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace stock::faults
