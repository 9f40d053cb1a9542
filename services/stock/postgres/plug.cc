#include "stock/postgres/plug.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace stock::postgres {

void Plug::attach(int socket) {
  const std::lock_guard lock(mutex_);
  socket_ = fcntl(socket, F_DUPFD_CLOEXEC, 0);
  if (stopped_) shut();
}

void Plug::detach() {
  const std::lock_guard lock(mutex_);
  if (socket_ >= 0) close(socket_);
  socket_ = -1;
}

bool Plug::is_dead() {
  const std::lock_guard lock(mutex_);
  if (socket_ < 0) return true;
  pollfd state{.fd = socket_, .events = POLLRDHUP, .revents = 0};
  return poll(&state, 1, 0) > 0;
}

std::uint64_t Plug::begin_use() {
  const std::lock_guard lock(mutex_);
  in_use_ = true;
  cut_ = false;
  return ++uses_;
}

bool Plug::end_use() {
  const std::lock_guard lock(mutex_);
  in_use_ = false;
  return cut_;
}

void Plug::cut(std::uint64_t use) {
  const std::lock_guard lock(mutex_);
  if (!in_use_ || use != uses_) return;
  cut_ = true;
  shut();
}

void Plug::cut() {
  const std::lock_guard lock(mutex_);
  shut();
}

void Plug::stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  shut();
}

bool Plug::stopped() {
  const std::lock_guard lock(mutex_);
  return stopped_;
}

void Plug::shut() const {
  if (socket_ >= 0) shutdown(socket_, SHUT_RDWR);
}

}  // namespace stock::postgres
