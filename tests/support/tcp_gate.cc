#include "support/tcp_gate.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>

#include "support/free_port.h"

namespace stock::support {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostBytesHeld = 1 << 20;

// One direction of a connection.
class Flow {
 public:
  Flow(int from, int to) : from_(from), to_(to) {}

  // False when the connection is broken.
  bool pump(Clock::time_point now, milliseconds delay) { return take(now, delay) && give(now); }
  // From now on no more than so much passes; what is longer breaks the connection.
  void limit(std::size_t bytes) { allowance_ = bytes; }
  void lift_limit() { allowance_ = kUnlimited; }
  [[nodiscard]] bool ended() const { return passed_end_; }

  void want(std::vector<pollfd>& polled) const {
    if (!saw_end_ && bytes_held_ < kMostBytesHeld) {
      polled.push_back({.fd = from_, .events = POLLIN, .revents = 0});
    }
    if (blocked_) {
      polled.push_back({.fd = to_, .events = POLLOUT, .revents = 0});
    }
  }
  // When there is something to do, even if no socket says so.
  [[nodiscard]] Clock::time_point next_due() const {
    return held_.empty() || blocked_ ? Clock::time_point::max() : held_.front().due;
  }

 private:
  struct Chunk {
    Clock::time_point due;
    std::string bytes;  // empty: the end
  };

  bool take(Clock::time_point now, milliseconds delay) {
    std::array<char, 65536> buffer;
    while (!saw_end_ && bytes_held_ < kMostBytesHeld) {
      const ssize_t n = recv(from_, buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (n < 0) {
        return errno == EAGAIN || errno == EINTR;
      }
      saw_end_ = n == 0;
      bytes_held_ += static_cast<std::size_t>(n);
      held_.push_back(
          {.due = now + delay, .bytes = std::string(buffer.data(), static_cast<std::size_t>(n))});
    }
    return true;
  }

  bool give(Clock::time_point now) {
    blocked_ = false;
    while (!held_.empty() && held_.front().due <= now) {
      std::string& bytes = held_.front().bytes;
      if (bytes.empty()) {
        passed_end_ = true;
        held_.pop_front();  // the last one: nothing is due any more
        return shutdown(to_, SHUT_WR) == 0;
      }
      if (allowance_ == 0) return false;
      const ssize_t n =
          send(to_, bytes.data(), std::min(bytes.size(), allowance_), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n < 0) {
        blocked_ = errno == EAGAIN || errno == EINTR;
        return blocked_;
      }
      if (allowance_ != kUnlimited) allowance_ -= static_cast<std::size_t>(n);
      bytes_held_ -= static_cast<std::size_t>(n);
      bytes.erase(0, static_cast<std::size_t>(n));
      if (bytes.empty()) {
        held_.pop_front();
      }
    }
    return true;
  }

  static constexpr std::size_t kUnlimited = std::numeric_limits<std::size_t>::max();

  const int from_;
  const int to_;
  std::size_t allowance_ = kUnlimited;
  std::deque<Chunk> held_;
  std::size_t bytes_held_ = 0;
  bool saw_end_ = false;
  bool passed_end_ = false;
  bool blocked_ = false;
};

}  // namespace

class TcpGate::Connection {
 public:
  Connection(Fd client, Fd server)
      : client_(std::move(client)),
        server_(std::move(server)),
        up_(client_.get(), server_.get()),
        down_(server_.get(), client_.get()) {}

  // False when it is over.
  bool pump(Clock::time_point now, milliseconds delay) {
    return up_.pump(now, delay) && down_.pump(now, delay) && !(up_.ended() && down_.ended());
  }
  void want(std::vector<pollfd>& polled) const {
    up_.want(polled);
    down_.want(polled);
  }
  [[nodiscard]] Clock::time_point next_due() const {
    return std::min(up_.next_due(), down_.next_due());
  }
  void lift_limit() { down_.lift_limit(); }
  void limit_replies(std::size_t bytes) { down_.limit(bytes); }
  // When closed, both sides get an RST.
  void reset_on_close() {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    for (const Fd* fd : {&client_, &server_}) {
      setsockopt(fd->get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    }
  }

 private:
  const Fd client_;
  const Fd server_;
  Flow up_;
  Flow down_;
};

TcpGate::TcpGate(std::uint16_t target_port)
    : target_port_(target_port),
      port_(free_port()),
      wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      thread_([this] { run(); }) {
  open();
}

TcpGate::~TcpGate() {
  apply([this] { ending_ = true; });
  thread_.join();
}

std::size_t TcpGate::connections() {
  std::size_t count = 0;
  apply([&] { count = connections_.size(); });
  return count;
}

void TcpGate::open() { pass_after(milliseconds(0)); }

void TcpGate::delay(milliseconds each_way) { pass_after(each_way); }

void TcpGate::pass_after(milliseconds delay) {
  apply([this, delay] {
    stalled_ = false;
    delay_ = delay;
    break_after_ = 0;
    for (const auto& connection : connections_) connection->lift_limit();
    if (!listener_) {
      listener_ = listen_loopback(port_);
    }
    if (!listener_) {
      throw std::runtime_error(fmt::format("the gate's port {} was taken", port_));
    }
  });
}

void TcpGate::stall() {
  apply([this] { stalled_ = true; });
}

void TcpGate::cut() {
  apply([this] {
    listener_.reset();
    connections_.clear();
  });
}

void TcpGate::reset_connections() {
  apply([this] {
    for (const auto& connection : connections_) {
      connection->reset_on_close();
    }
    connections_.clear();
  });
}

void TcpGate::break_replies(std::size_t bytes) {
  apply([this, bytes] {
    break_after_ = bytes;
    for (const auto& connection : connections_) connection->limit_replies(bytes);
  });
}

void TcpGate::point_to(std::uint16_t target_port) {
  apply([this, target_port] { target_port_ = target_port; });
}

void TcpGate::apply(std::function<void()> change) {
  std::packaged_task<void()> task(std::move(change));
  std::future<void> done = task.get_future();
  {
    const std::lock_guard lock(mutex_);
    changes_.push_back(std::move(task));
  }
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_.get(), &one, sizeof(one));
  done.get();
}

// Waits for any socket, then tries them all: there are few.
void TcpGate::run() {
  while (!ending_) {
    await_event();
    run_changes();
    accept_clients();
    pump();
  }
}

void TcpGate::await_event() {
  std::vector<pollfd> polled = {{.fd = wake_.get(), .events = POLLIN, .revents = 0}};
  if (listener_) {
    polled.push_back({.fd = listener_.get(), .events = POLLIN, .revents = 0});
  }
  auto due = Clock::time_point::max();
  if (!stalled_) {
    for (const auto& connection : connections_) {
      connection->want(polled);
      due = std::min(due, connection->next_due());
    }
  }
  int timeout_ms = -1;
  if (due != Clock::time_point::max()) {
    const auto wait = std::chrono::ceil<milliseconds>(due - Clock::now());
    timeout_ms = static_cast<int>(std::max<milliseconds::rep>(0, wait.count()));
  }
  poll(polled.data(), polled.size(), timeout_ms);
}

void TcpGate::run_changes() {
  std::uint64_t woken = 0;
  [[maybe_unused]] const ssize_t drained = read(wake_.get(), &woken, sizeof(woken));
  std::deque<std::packaged_task<void()>> changes;
  {
    const std::lock_guard lock(mutex_);
    changes.swap(changes_);
  }
  for (auto& change : changes) {
    change();
  }
}

void TcpGate::accept_clients() {
  while (listener_) {
    Fd client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client) {
      return;
    }
    if (Fd server = connect_loopback(target_port_)) {
      connections_.push_back(std::make_unique<Connection>(std::move(client), std::move(server)));
      if (break_after_ > 0) connections_.back()->limit_replies(break_after_);
    }
  }
}

void TcpGate::pump() {
  if (stalled_) {
    return;
  }
  const auto now = Clock::now();
  std::erase_if(connections_,
                [&](const auto& connection) { return !connection->pump(now, delay_); });
}

}  // namespace stock::support
