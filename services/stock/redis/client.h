// A Connection on a thread of its own, so that any thread can send commands.
//
// Thread-safe. One mutex, over the queue between the threads and whether there is a connection;
// never held over I/O or a callback.
#pragma once

#include <uv.h>

#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "stock/redis/connection.h"

namespace stock::redis {

struct Request {
  std::string command;  // in Redis's protocol
  Connection::OnResult on_result;
};

class Client {
 public:
  // Returns at once, and connects by itself. `on_change` is not told the same twice in a row, nor
  // of the end.
  Client(Connection::Options options, Connection::OnChange on_change);
  // Gives all requests under way their results.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Takes all requests, in this order; each gets its result exactly once, on the client's thread.
  // Takes none when there is no connection: UNAVAILABLE.
  [[nodiscard]] absl::Status send(std::span<Request> requests);

  [[nodiscard]] bool connected() const;

 private:
  void drain();
  void changed(bool ready, const std::string& why);

  const Connection::OnChange on_change_;
  uv_loop_t loop_;
  uv_async_t wake_;  // there is something in the queue, or it is time to stop
  Connection connection_;

  mutable std::mutex mutex_;
  std::vector<Request> queue_;
  bool connected_ = false;
  std::string why_not_ = "still connecting";
  bool stopping_ = false;

  std::thread thread_;
};

}  // namespace stock::redis
