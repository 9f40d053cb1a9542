#include "stock/admin/bounded_http_server.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace stock::admin {

// Not an injected clock: this bounds how long a real socket is waited for, in poll(), and nothing
// is ever said of the time that it tells. A test that owned it could not own the sockets.
using Clock = std::chrono::steady_clock;

// The threads and the sockets under way. Any thread may call.
class Connections {
 public:
  explicit Connections(int limit) : limit_(limit) {}

  // Runs `job`, which serves one connection, on a thread: now, or when an older one has made room.
  // Blocks while too many wait for that.
  void run(std::function<void()> job) {
    std::unique_lock lock(mutex_);
    fewer_.wait(lock, [this] { return std::ssize(waiting_) < limit_; });
    if (threads_ == limit_) {
      waiting_.push_back(std::move(job));
      make_room();
      return;
    }
    ++threads_;
    // Not joined one by one: `end_all` returns when the last has left.
    std::thread([this, job = std::move(job)]() mutable { work(std::move(job)); }).detach();
  }

  // `hurried` becomes true when it is to end soon, and is looked at until it is closing().
  void opened(int socket, std::atomic<bool>& hurried) {
    const std::lock_guard lock(mutex_);
    open_.push_back({socket, &hurried});
    if (ending_) {
      hurry_oldest();
    }
    make_room();
  }

  // To be called before the descriptor is closed, after which it may be another's.
  void closing(int socket) {
    const std::lock_guard lock(mutex_);
    if (open_.remove_if([&](const Open& open) { return open.socket == socket; }) == 0) {
      --hurried_;
    }
  }

  void end_all() {
    std::unique_lock lock(mutex_);
    ending_ = true;
    while (!open_.empty()) {
      hurry_oldest();
    }
    idle_.wait(lock, [this] { return threads_ == 0; });
  }

 private:
  struct Open {
    int socket;
    std::atomic<bool>* hurried;
  };

  // For each one that waits, one that is served is hurried.
  void make_room() {
    while (hurried_ < waiting_.size() && !open_.empty()) {
      hurry_oldest();
    }
  }

  // Its thread looks at that. A browser may have connected and not asked yet: so it is left a
  // little time.
  void hurry_oldest() {
    *open_.front().hurried = true;
    open_.pop_front();
    ++hurried_;
  }

  void work(std::function<void()> job) {
    while (job) {
      job();
      job = nullptr;
      const std::lock_guard lock(mutex_);
      if (!waiting_.empty()) {
        job = std::move(waiting_.front());
        waiting_.pop_front();
        fewer_.notify_one();
      } else if (--threads_ == 0) {
        // Still under the lock: whoever waits may destroy this as soon as it is released.
        idle_.notify_all();
      }
    }
  }

  const int limit_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable idle_;
  std::condition_variable fewer_;  // wait
  std::deque<std::function<void()>> waiting_;
  std::list<Open> open_;     // the oldest first, without those that are hurried
  std::size_t hurried_ = 0;  // and not closed yet
  int threads_ = 0;
  bool ending_ = false;
};

namespace {

constexpr int kBacklog = 128;
constexpr std::size_t kLargestRequest = 16 << 10;  // request line and headers
constexpr std::size_t kLargestDrain = 64 << 10;
// So long may a client that is hurried take to ask, and again to read its answer...
constexpr std::chrono::milliseconds kGrace(250);
// ...and so often is looked whether it is: nothing wakes who waits for a client to read.
constexpr std::chrono::milliseconds kGlance(50);

// httplib reads its requests byte by byte, so this buffers; every wait ends at the deadline.
class DeadlineStream final : public httplib::Stream {
 public:
  DeadlineStream(int socket, Clock::time_point deadline, const std::atomic<bool>& hurried)
      : socket_(socket), hurried_(hurried), deadline_(deadline) {}

  bool is_readable() const override { return begin_ < end_ || wait_for(POLLIN); }
  bool is_writable() const override { return wait_for(POLLOUT); }

  ssize_t read(char* to, std::size_t size) override {
    if (begin_ == end_) {
      if (received_ >= kLargestRequest || !wait_for(POLLIN)) {
        return -1;
      }
      const ssize_t got = ::recv(socket_, buffer_.data(), buffer_.size(), 0);
      if (got <= 0) {
        return got;
      }
      begin_ = 0;
      end_ = static_cast<std::size_t>(got);
      received_ += end_;
    }
    const std::size_t count = std::min(size, end_ - begin_);
    std::copy_n(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_), count, to);
    begin_ += count;
    return static_cast<ssize_t>(count);
  }

  ssize_t write(const char* from, std::size_t size) override {
    // MSG_DONTWAIT: a blocking send of much would wait for a slow reader past the deadline.
    while (wait_for(POLLOUT)) {
      const ssize_t sent = ::send(socket_, from, size, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
        return sent;
      }
    }
    return -1;
  }

  void get_remote_ip_and_port(std::string& ip, int& port) const override { unknown(ip, port); }
  void get_local_ip_and_port(std::string& ip, int& port) const override { unknown(ip, port); }

  // httplib asks in order to refuse descriptors too large for its select(), which is not used here.
  socket_t socket() const override { return 0; }

 private:
  static void unknown(std::string& ip, int& port) {
    ip.clear();
    port = 0;
  }

  bool wait_for(short event) const {
    // How long the answer took to find is not the client's fault.
    if (event == POLLOUT && !answering_) {
      answering_ = true;
      if (hurries_) {
        deadline_ = std::max(deadline_, Clock::now() + kGrace);
      }
    }
    for (;;) {
      const Clock::time_point now = Clock::now();
      if (hurried_ && !hurries_) {
        hurries_ = true;
        deadline_ = std::min(deadline_, now + kGrace);
      }
      if (deadline_ <= now) {
        return false;
      }
      const auto left = std::min(std::chrono::ceil<std::chrono::milliseconds>(deadline_ - now),
                                 std::chrono::milliseconds(kGlance));
      pollfd poll_fd{.fd = socket_, .events = event, .revents = 0};
      const int ready = ::poll(&poll_fd, 1, static_cast<int>(left.count()));
      if (ready == 1 || (ready < 0 && errno != EINTR)) {
        return ready == 1;
      }
    }
  }

  const int socket_;
  const std::atomic<bool>& hurried_;
  mutable bool hurries_ = false;  // it has been noticed; and the deadline is an earlier one since
  mutable bool answering_ = false;
  mutable Clock::time_point deadline_;
  std::array<char, 4096> buffer_;
  std::size_t begin_ = 0;  // what of buffer_ is received but not read
  std::size_t end_ = 0;
  std::size_t received_ = 0;
};

// A socket closed with bytes unread resets the connection, and the answer may be lost with it.
void close_gently(int socket) {
  ::shutdown(socket, SHUT_WR);
  std::array<char, 4096> rest;
  for (std::size_t drained = 0; drained < kLargestDrain;) {
    const ssize_t got = ::recv(socket, rest.data(), rest.size(), MSG_DONTWAIT);
    if (got <= 0) {
      break;
    }
    drained += static_cast<std::size_t>(got);
  }
  ::close(socket);
}

class Queue final : public httplib::TaskQueue {
 public:
  explicit Queue(Connections& connections) : connections_(connections) {}
  void enqueue(std::function<void()> job) override { connections_.run(std::move(job)); }
  void shutdown() override { connections_.end_all(); }

 private:
  Connections& connections_;
};

}  // namespace

BoundedHttpServer::BoundedHttpServer(Limits limits)
    : limits_(limits), connections_(std::make_unique<Connections>(limits.connections)) {
  new_task_queue = [this] { return new Queue(*connections_); };  // httplib deletes it
  set_keep_alive_max_count(1);
  // Instead of httplib's own, which sets SO_REUSEPORT: a second process would share the port
  // silently. SO_REUSEADDR only lets a restart not wait for old connections to be forgotten.
  set_socket_options([](socket_t socket) {
    const int yes = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  });
}

BoundedHttpServer::~BoundedHttpServer() = default;

void BoundedHttpServer::widen_backlog() { ::listen(svr_sock_, kBacklog); }

bool BoundedHttpServer::process_and_close_socket(socket_t socket) {
  std::atomic<bool> hurried = false;
  connections_->opened(socket, hurried);
  DeadlineStream stream(socket, Clock::now() + limits_.deadline, hurried);
  bool closed = false;
  const bool served = process_request(stream, /*close_connection=*/true, closed, nullptr);
  connections_->closing(socket);
  close_gently(socket);
  return served;
}

}  // namespace stock::admin
