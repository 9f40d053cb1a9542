#include "support/fake_clock.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>

namespace stock::support {

std::map<std::string, std::string> FakeClock::environment() const {
  return {{"LD_PRELOAD", "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"},
          {"FAKETIME_TIMESTAMP_FILE", dir_.path() / "ahead"},
          // All processes of a server see a change at once.
          {"FAKETIME_NO_CACHE", "1"},
          {"FAKETIME_DONT_FAKE_MONOTONIC", "1"}};
}

void FakeClock::set(std::chrono::seconds ahead) {
  std::ofstream(dir_.path() / "new") << fmt::format("{:+}\n", ahead.count());
  std::filesystem::rename(dir_.path() / "new", dir_.path() / "ahead");
}

}  // namespace stock::support
