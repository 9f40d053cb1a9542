#include "stock/telemetry/fd_sink.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <string>

namespace stock::telemetry {
namespace {

// How long a line waits for its reader. Once one has waited in vain, none waits until it moves.
constexpr std::chrono::milliseconds kPatience{100};

}  // namespace

void FdSink::sink_it_(const spdlog::details::log_msg& message) {
  spdlog::memory_buf_t line;
  formatter_->format(message, line);
  if (dropped_ > 0) {
    tell_dropped();
  }
  if (dropped_ > 0 || !write_line({line.data(), line.size()})) {
    ++dropped_;
  }
}

void FdSink::tell_dropped() {
  const std::string text = std::to_string(dropped_) + " log lines dropped: nobody read them";
  spdlog::memory_buf_t line;
  formatter_->format({spdlog::string_view_t(), spdlog::level::warn, text}, line);
  if (write_line({line.data(), line.size()})) {
    dropped_ = 0;
  }
}

bool FdSink::writable() const {
  pollfd poll_fd{.fd = fd_, .events = POLLOUT, .revents = 0};
  const int patience = dropped_ > 0 ? 0 : static_cast<int>(kPatience.count());
  return poll(&poll_fd, 1, patience) == 1 && poll_fd.revents == POLLOUT;
}

// A pipe that poll calls writable has room for PIPE_BUF bytes, so a write of no more than that
// does not block, and is not mixed with what other processes write.
bool FdSink::write_line(std::string_view line) {
  std::string mended;
  if (torn_) {
    mended.append(1, '\n').append(line);
    line = mended;
  }
  while (!line.empty()) {
    if (!writable()) {
      break;
    }
    const ssize_t written = ::write(fd_, line.data(), std::min<std::size_t>(line.size(), PIPE_BUF));
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      break;
    }
    line.remove_prefix(static_cast<std::size_t>(written));
    torn_ = !line.empty();
  }
  return line.empty();
}

}  // namespace stock::telemetry
