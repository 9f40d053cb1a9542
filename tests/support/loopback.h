// Sockets on 127.0.0.1.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <utility>

namespace stock::support {

// Owns a file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() { reset(); }

  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] explicit operator bool() const { return fd_ >= 0; }
  void reset() {
    if (fd_ >= 0) {
      close(std::exchange(fd_, -1));
    }
  }

 private:
  int fd_ = -1;
};

// Empty where nobody listens.
Fd connect_loopback(std::uint16_t port);

// Empty where somebody else has the port. Accepting from it does not block.
Fd listen_loopback(std::uint16_t port);

}  // namespace stock::support
