#include "stock/redis/client.h"

#include <iterator>
#include <system_error>
#include <utility>

namespace stock::redis {
namespace {

// Fails only when the process has run out of descriptors before it has begun to work: treated like
// a thread that cannot be started.
uv_loop_t& check_loop(int error, uv_loop_t& loop) {
  if (error < 0) throw std::system_error(-error, std::generic_category(), "event loop");
  return loop;
}

}  // namespace

Client::Client(Connection::Options options, Connection::OnChange on_change)
    : on_change_(std::move(on_change)),
      connection_(check_loop(uv_loop_init(&loop_), loop_), std::move(options),
                  [this](bool ready, const std::string& why) { changed(ready, why); }) {
  wake_.data = this;
  check_loop(uv_async_init(&loop_, &wake_,
                           [](uv_async_t* wake) { static_cast<Client*>(wake->data)->drain(); }),
             loop_);
  thread_ = std::thread([this] {
    connection_.open();
    uv_run(&loop_, UV_RUN_DEFAULT);
    uv_loop_close(&loop_);
  });
}

Client::~Client() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    connected_ = false;
    why_not_ = "shutting down";
    // Under the lock, as in send(): a drain that is under way might close the handle before.
    uv_async_send(&wake_);
  }
  thread_.join();
}

absl::Status Client::send(std::span<Request> requests) {
  const std::lock_guard lock(mutex_);
  if (!connected_) return absl::UnavailableError("not connected: " + why_not_);
  const bool sleeping = queue_.empty();
  queue_.insert(queue_.end(), std::move_iterator(requests.begin()),
                std::move_iterator(requests.end()));
  // Under the lock, for once the client is known to stop the handle may be closed.
  if (sleeping) uv_async_send(&wake_);
  return absl::OkStatus();
}

bool Client::connected() const {
  const std::lock_guard lock(mutex_);
  return connected_;
}

void Client::drain() {
  std::vector<Request> requests;
  std::string why_not;
  bool stopping = false;
  {
    const std::lock_guard lock(mutex_);
    requests.swap(queue_);
    why_not = why_not_;
    stopping = stopping_;
  }
  if (stopping) {
    connection_.close(why_not);
    uv_close(reinterpret_cast<uv_handle_t*>(&wake_), nullptr);
  }
  for (Request& request : requests) {
    if (connection_.ready()) {
      connection_.send(request.command, std::move(request.on_result));
    } else {
      request.on_result({.why = why_not});
    }
  }
}

void Client::changed(bool ready, const std::string& why) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    const bool news = ready != connected_ || why != why_not_;
    connected_ = ready;
    why_not_ = why;
    if (!news) return;
  }
  if (on_change_) on_change_(ready, why);
}

}  // namespace stock::redis
