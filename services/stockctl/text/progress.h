#pragma once

#include <chrono>
#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>

#include "stockctl/text/terminal.h"

namespace stockctl {

// How far long work is: a bar that is drawn over itself on a terminal, a line every few seconds
// elsewhere. Also the only way to say something else meanwhile. Draws seldom, so that it may be
// told often. One thread.
class Progress {
 public:
  using Clock = std::chrono::steady_clock;

  // `label` says what is done ("replay") and `unit` what is counted ("lines").
  Progress(std::ostream& err, const Terminal& terminal, std::string label, std::string unit,
           std::int64_t total, Clock::time_point now);

  void update(std::int64_t done, Clock::time_point now);
  // A line of its own, above the bar.
  void say(std::string_view line);
  // Takes the bar away.
  void finish();

 private:
  std::string bar(std::int64_t done, double per_second) const;

  std::ostream& err_;
  Terminal terminal_;
  std::string label_;
  std::string unit_;
  std::int64_t total_;
  Clock::time_point began_;
  Clock::time_point drawn_;
  bool bar_shown_ = false;
};

}  // namespace stockctl
