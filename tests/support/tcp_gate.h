// A TCP proxy between a client and a server on loopback, that a test can shut: for what happens to
// networks. Killing the server is another fault, in which the client hears of it.
//
// Thread-safe. A change is in force when its method returns, for the connections that are open and
// for those to come.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "support/loopback.h"

namespace stock::support {

class TcpGate {
 public:
  // Open. `target_port` is connected to anew for each client.
  explicit TcpGate(std::uint16_t target_port);
  ~TcpGate();
  TcpGate(const TcpGate&) = delete;
  TcpGate& operator=(const TcpGate&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  // How many clients are connected.
  [[nodiscard]] std::size_t connections();

  // Lets everything pass, at once.
  void open();
  // Lets everything pass, so much later, in each direction.
  void delay(std::chrono::milliseconds each_way);
  // Accepts clients and lets nothing pass. What was sent meanwhile passes when it is open again.
  void stall();
  // Closes all connections and refuses clients, until it is open again.
  void cut();
  // Resets (RST) all connections, once. Clients may come back.
  void reset_connections();
  // Closes each connection when so many (more) bytes have come from its server, most likely in the
  // middle of a reply, until it is open again. Clients may come back, to the same.
  void break_replies(std::size_t bytes);
  // The server that clients who come from now on are connected to.
  void point_to(std::uint16_t target_port);

 private:
  class Connection;

  // Runs `change` in the gate's thread, where sockets are not being waited for, and waits for it.
  void apply(std::function<void()> change);
  void pass_after(std::chrono::milliseconds delay);

  // The gate's thread, and what is its own.
  void run();
  void await_event();
  void run_changes();
  void accept_clients();
  void pump();
  std::uint16_t target_port_;
  Fd listener_;
  bool stalled_ = false;
  std::size_t break_after_ = 0;  // bytes of a reply; 0: never
  std::chrono::milliseconds delay_{0};
  std::vector<std::unique_ptr<Connection>> connections_;

  std::uint16_t port_;
  Fd wake_;
  std::atomic<bool> ending_ = false;
  std::mutex mutex_;  // guards changes_
  std::deque<std::packaged_task<void()>> changes_;
  std::thread thread_;
};

}  // namespace stock::support
