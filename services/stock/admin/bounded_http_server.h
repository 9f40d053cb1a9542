#pragma once

// httplib's server with bounds on what a client can hold.
//
// As it comes, each connection keeps one of a few threads for as long as it likes: a handful of
// idle ones, or one that sends a byte now and then, block everybody else. Here
//   - who has connected and not begun to ask holds no thread, and may take a minute for it: as
//     browsers do, that connect before they ask. Of four times as many as are served the oldest
//     goes;
//   - from its first byte on a connection lives until its deadline at most, and carries one
//   request;
//   - connections are served at the same time, up to a limit; past it the oldest makes room: what
//     it has asked already is answered, if it soon reads that; what it has yet to ask is not waited
//     for;
//   - as many more are accepted at most, to wait for room; the system keeps the next ones;
//   - file descriptors may have any number (httplib refuses those past FD_SETSIZE, which a process
//     with many other connections reaches);
//   - no other process can listen on the same port.

#include <httplib.h>

#include <chrono>

namespace stock::admin {

class Connections;
class Lobby;

class BoundedHttpServer final : public httplib::Server {
 public:
  struct Limits {
    int connections;
    std::chrono::milliseconds deadline;
  };

  explicit BoundedHttpServer(Limits limits);
  ~BoundedHttpServer() override;

  // Allows more connections to be waiting for acceptance than httplib does. After binding.
  void widen_backlog();

 private:
  bool process_and_close_socket(socket_t socket) override;
  void serve(int socket);

  const Limits limits_;
  // Counts and owns the threads; httplib's task queue, which lives while it listens, borrows it.
  const std::unique_ptr<Connections> connections_;
  const std::unique_ptr<Lobby> lobby_;  // its thread uses the connections
};

}  // namespace stock::admin
