// The wall clock of a server, which a test can set: libfaketime, preloaded into its processes.
// Clocks that cannot be set (monotonic, boot time) stay as they are.
#pragma once

#include <chrono>
#include <map>
#include <string>

#include "support/temp_dir.h"

namespace stock::support {

class FakeClock {
 public:
  FakeClock() { set(std::chrono::seconds(0)); }

  // Of the processes whose clock it is.
  [[nodiscard]] std::map<std::string, std::string> environment() const;
  // So far ahead of the true time, from now on.
  void set(std::chrono::seconds ahead);

 private:
  TempDir dir_;
};

}  // namespace stock::support
