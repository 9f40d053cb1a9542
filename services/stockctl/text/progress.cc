#include "stockctl/text/progress.h"

#include <algorithm>
#include <utility>

#include "stockctl/text/concat.h"
#include "stockctl/text/format.h"

namespace stockctl {
namespace {

constexpr std::string_view kClearLine = "\r\033[K";

bool draws_bar(const Terminal& terminal) { return terminal.width > 0; }

}  // namespace

Progress::Progress(std::ostream& err, const Terminal& terminal, std::string label, std::string unit,
                   std::int64_t total, Clock::time_point now)
    : err_(err),
      terminal_(terminal),
      label_(std::move(label)),
      unit_(std::move(unit)),
      total_(total),
      began_(now),
      drawn_(now) {}

std::string Progress::bar(std::int64_t done, double per_second) const {
  constexpr std::int64_t kCells = 20;
  const std::int64_t filled = total_ > 0 ? std::min(kCells, done * kCells / total_) : 0;
  std::string cells;
  for (std::int64_t i = 0; i < kCells; ++i) cells += i < filled ? "█" : "░";
  std::string text =
      concat(label_, ' ', cells, ' ', format_count(done), " of ", format_count(total_), ' ', unit_);
  if (per_second >= 1) {
    const std::chrono::duration<double> left((total_ - done) / per_second);
    text +=
        concat(", ", format_count(static_cast<std::int64_t>(per_second)), "/s, ",
               format_duration(std::chrono::duration_cast<std::chrono::seconds>(left)), " left");
  }
  return text;
}

void Progress::update(std::int64_t done, Clock::time_point now) {
  const auto pause =
      draws_bar(terminal_) ? std::chrono::milliseconds(100) : std::chrono::seconds(5);
  if (now - drawn_ < pause) return;
  drawn_ = now;
  const std::chrono::duration<double> seconds = now - began_;
  const double per_second = static_cast<double>(done) / seconds.count();
  if (draws_bar(terminal_)) {
    err_ << kClearLine << bar(done, per_second) << std::flush;
    bar_shown_ = true;
    return;
  }
  const std::int64_t percent = total_ > 0 ? done * 100 / total_ : 100;
  err_ << label_ << ": " << format_count(done) << " of " << format_count(total_) << ' ' << unit_
       << " (" << percent << " %), " << format_count(static_cast<std::int64_t>(per_second))
       << "/s\n"
       << std::flush;
}

void Progress::say(std::string_view line) {
  if (std::exchange(bar_shown_, false)) err_ << kClearLine;
  err_ << line << '\n' << std::flush;
}

void Progress::finish() {
  if (std::exchange(bar_shown_, false)) err_ << kClearLine << std::flush;
}

}  // namespace stockctl
