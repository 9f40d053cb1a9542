#include "support/free_port.h"

#include <mutex>
#include <random>
#include <set>
#include <stdexcept>

#include "support/loopback.h"

namespace stock::support {
namespace {

constexpr std::uint16_t kFirst = 20000;
constexpr std::uint16_t kLast = 32000;

}  // namespace

std::uint16_t free_port() {
  static std::mutex mutex;
  static std::set<std::uint16_t> given;
  const std::lock_guard lock(mutex);
  std::random_device chance;
  std::uniform_int_distribution<int> pick(kFirst, kLast);
  for (int attempt = 0; attempt < 1000; ++attempt) {
    const auto port = static_cast<std::uint16_t>(pick(chance));
    if (listen_loopback(port) && given.insert(port).second) {
      return port;
    }
  }
  throw std::runtime_error("no free port on loopback");
}

}  // namespace stock::support
