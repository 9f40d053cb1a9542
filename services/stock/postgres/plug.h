// Cuts a connection from outside: the part of a session that other threads may touch.
//
// Holds a descriptor of its own for the connection's socket, because libpq closes its own whenever
// it likes, and by the time that somebody wants to cut, the number may be another socket's.
// Thread-safe. Shared with timers, which may fire when the session is gone.
#pragma once

#include <cstdint>
#include <mutex>

namespace stock::postgres {

class Plug {
 public:
  Plug() = default;
  ~Plug() { detach(); }
  Plug(const Plug&) = delete;
  Plug& operator=(const Plug&) = delete;

  void attach(int socket);
  void detach();
  // The other side has closed, or never was attached.
  [[nodiscard]] bool is_dead();

  // Uses are numbered, so that one that is over cannot be cut any more.
  std::uint64_t begin_use();
  // Whether the use was cut.
  bool end_use();
  void cut(std::uint64_t use);
  // Whatever is said over this connection from now on fails at once.
  void cut();

  void stop();
  [[nodiscard]] bool stopped();

 private:
  void shut() const;  // with the mutex held

  std::mutex mutex_;
  int socket_ = -1;
  std::uint64_t uses_ = 0;
  bool in_use_ = false;
  bool cut_ = false;
  bool stopped_ = false;
};

}  // namespace stock::postgres
