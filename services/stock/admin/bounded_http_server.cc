#include "stock/admin/bounded_http_server.h"

#include <poll.h>
#include <sys/eventfd.h>
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
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace stock::admin {

// Not an injected clock: this bounds how long a real socket is waited for, in poll(), and nothing
// is ever said of the time that it tells. A test that owned it could not own the sockets.
using Clock = std::chrono::steady_clock;

// The threads and the sockets under way. Any thread may call.
class Connections {
 public:
  explicit Connections(int limit) : limit_(limit) {}

  // Runs `job`, which serves one connection, on a thread: now, or when an older one has made room.
  // Blocks while too many wait for that. False: all are ending, and it will not be run.
  bool run(std::function<void()> job) {
    std::unique_lock lock(mutex_);
    fewer_.wait(lock, [this] { return ending_ || std::ssize(waiting_) < limit_; });
    if (ending_) {
      return false;
    }
    if (threads_ == limit_) {
      waiting_.push_back(std::move(job));
      make_room();
      return true;
    }
    ++threads_;
    // Not joined one by one: `end_all` returns when the last has left.
    std::thread([this, job = std::move(job)]() mutable { work(std::move(job)); }).detach();
    return true;
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
    fewer_.notify_all();
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

  // Its thread looks at that. What it asks may be on its way: so it is left a little time.
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
// So long may a client have connected and not begun to ask. Browsers connect before they ask.
constexpr std::chrono::seconds kSilence(60);
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

// On the thread that accepts: a job is a connection that goes into the lobby.
class Queue final : public httplib::TaskQueue {
 public:
  explicit Queue(std::function<void()> end) : end_(std::move(end)) {}
  void enqueue(std::function<void()> job) override { job(); }
  void shutdown() override { end_(); }

 private:
  const std::function<void()> end_;
};

}  // namespace

// Connections that have not begun to ask, all on one thread, which hands over those that do.
// std::system_error: there are no descriptors left.
class Lobby {
 public:
  // `serve` is given a socket, to be closed; false: it was not taken.
  Lobby(std::size_t capacity, std::function<bool(int socket)> serve)
      : capacity_(capacity), serve_(std::move(serve)), thread_([this] { run(); }) {}
  ~Lobby() {
    close();
    thread_.join();
    ::close(bell_);
  }
  Lobby(const Lobby&) = delete;
  Lobby& operator=(const Lobby&) = delete;

  // Blocks while it is full of those that ask and cannot be handed over.
  void add(int socket) {
    std::unique_lock lock(mutex_);
    if (size_ >= capacity_) {
      crowded_ = true;
      ring();
    }
    room_.wait(lock, [this] { return closed_ || size_ < capacity_; });
    if (closed_) {
      ::close(socket);
      return;
    }
    ++size_;
    arrived_.push_back(socket);
    ring();
  }

  // Of who has not asked yet nobody is served any more. Does not wait.
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    room_.notify_all();
    ring();
  }

 private:
  struct Guest {
    int socket;
    Clock::time_point leaves;
  };

  static int make_bell() {
    const int bell = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (bell < 0) {
      throw std::system_error(errno, std::generic_category(), "eventfd");
    }
    return bell;
  }

  void ring() const { ::eventfd_write(bell_, 1); }

  void run() {
    std::vector<Guest> guests;  // the oldest first
    std::vector<pollfd> watched;
    while (let_in(guests)) {
      watched.assign(1, {.fd = bell_, .events = POLLIN, .revents = 0});
      for (const Guest& guest : guests) {
        watched.push_back({.fd = guest.socket, .events = POLLIN, .revents = 0});
      }
      int wait = -1;
      if (!guests.empty()) {
        const auto left = guests.front().leaves - Clock::now();
        wait = static_cast<int>(
            std::max<std::int64_t>(0, std::chrono::ceil<std::chrono::milliseconds>(left).count()));
      }
      if (::poll(watched.data(), watched.size(), wait) < 0) {
        continue;
      }
      std::uint64_t rung = 0;
      ::eventfd_read(bell_, &rung);
      see_off(guests, watched);
    }
    for (const Guest& guest : guests) {
      ::close(guest.socket);
    }
  }

  // False: it is closed.
  bool let_in(std::vector<Guest>& guests) {
    const std::lock_guard lock(mutex_);
    for (const int socket : arrived_) {
      guests.push_back({socket, Clock::now() + kSilence});
    }
    arrived_.clear();
    return !closed_;
  }

  // Whoever asks, or has left, is served; who has been silent for too long, or longest where others
  // want to come in, goes.
  void see_off(std::vector<Guest>& guests, const std::vector<pollfd>& watched) {
    std::vector<Guest> silent;
    std::vector<int> asking;
    for (std::size_t i = 0; i < guests.size(); ++i) {
      if (watched[i + 1].revents != 0) {
        asking.push_back(guests[i].socket);
      } else {
        silent.push_back(guests[i]);
      }
    }
    for (const int socket : asking) {
      if (!serve_(socket)) {
        ::close(socket);
      }
      left(1);
    }
    const Clock::time_point now = Clock::now();
    auto stays =
        std::ranges::find_if(silent, [&](const Guest& guest) { return guest.leaves > now; });
    if (stays == silent.begin() && stays != silent.end() && is_crowded()) {
      ++stays;
    }
    std::for_each(silent.begin(), stays, [](const Guest& guest) { ::close(guest.socket); });
    left(static_cast<std::size_t>(stays - silent.begin()));
    silent.erase(silent.begin(), stays);
    guests = std::move(silent);
  }

  void left(std::size_t count) {
    const std::lock_guard lock(mutex_);
    size_ -= count;
    room_.notify_all();
  }

  // Once for each who waits.
  bool is_crowded() {
    const std::lock_guard lock(mutex_);
    return std::exchange(crowded_, false) && size_ >= capacity_;
  }

  const std::size_t capacity_;
  const std::function<bool(int)> serve_;
  const int bell_ = make_bell();
  std::mutex mutex_;  // guards what follows
  std::condition_variable room_;
  std::vector<int> arrived_;
  std::size_t size_ = 0;  // of those that arrived and have not left
  bool crowded_ = false;  // somebody waits for room
  bool closed_ = false;
  std::thread thread_;  // last: it uses the others
};

BoundedHttpServer::BoundedHttpServer(Limits limits)
    : limits_(limits),
      connections_(std::make_unique<Connections>(limits.connections)),
      lobby_(std::make_unique<Lobby>(
          static_cast<std::size_t>(4 * limits.connections),
          [this](int socket) { return connections_->run([this, socket] { serve(socket); }); })) {
  new_task_queue = [this] {
    return new Queue([this] {
      lobby_->close();
      connections_->end_all();
    });
  };  // httplib deletes it
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
  lobby_->add(socket);
  return true;
}

void BoundedHttpServer::serve(int socket) {
  std::atomic<bool> hurried = false;
  connections_->opened(socket, hurried);
  DeadlineStream stream(socket, Clock::now() + limits_.deadline, hurried);
  bool closed = false;
  process_request(stream, /*close_connection=*/true, closed, nullptr);
  connections_->closing(socket);
  close_gently(socket);
}

}  // namespace stock::admin
