#include "faults/ghost.h"

#include <chrono>
#include <map>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "faults/hoarder.h"

namespace stock::faults {
namespace {

constexpr std::chrono::milliseconds kPause(10);
constexpr std::chrono::seconds kPatience(1);  // it is still to end while Redis is silent

}  // namespace

Ghost::Ghost(std::uint16_t redis_port, std::uint64_t seed)
    : thread_([this, redis_port, seed] { run(redis_port, seed); }) {}

Ghost::~Ghost() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_.notify_all();
  thread_.join();
}

bool Ghost::pause() {
  std::unique_lock lock(mutex_);
  return !stop_.wait_for(lock, kPause, [this] { return stopping_; });
}

void Ghost::run(std::uint16_t redis_port, std::uint64_t seed) {
  std::mt19937_64 chance(seed);
  std::optional<Hoarder> hoarder;
  std::map<std::string, std::vector<std::string>> memories;
  while (pause()) {
    try {
      if (!hoarder) {
        hoarder.emplace(redis_port, kPatience);
        hoarder->taken.swap(memories);
      }
      hoarder->take();
      hoarder->put_back_some(chance());
    } catch (const std::runtime_error&) {
      // Away, silent or full: the copies are kept until it is back.
      if (hoarder) memories.swap(hoarder->taken);
      hoarder.reset();
    }
  }
}

}  // namespace stock::faults
