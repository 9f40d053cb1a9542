// One connection to a database: made when it is needed, remade when it was lost.
//
// A session belongs to one thread at a time; only stop() and connected() may be called by others.
// It never waits for a server that has gone silent: a statement that takes longer than `hang_limit`
// is ended by cutting its connection. It never hammers a server that is down: between attempts to
// connect it fails at once, with the last attempt's error, unless another session has found the
// server back since. What it is given must outlive it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "stock/clock/local_clock.h"
#include "stock/clock/timers.h"
#include "stock/postgres/failure.h"

namespace stock::postgres {

class Connection;
class Plug;

// When any of those who share it last connected. Any thread may call.
class Contact {
 public:
  void made(domain::LocalTime now) { last_ = now.time_since_epoch().count(); }
  [[nodiscard]] bool after(domain::LocalTime when) const {
    return last_ > when.time_since_epoch().count();
  }

 private:
  std::atomic<domain::LocalTime::rep> last_ = std::numeric_limits<domain::LocalTime::rep>::min();
};

struct SessionOptions {
  // As libpq takes it, a URL or keywords. What it sets itself wins over what is set here.
  std::string url;
  std::string application_name;
  // The server's own limit on a statement.
  std::chrono::milliseconds statement_timeout{1000};
  // From sending a statement to its answer, whatever the server does. Longer than the former.
  std::chrono::milliseconds hang_limit{3000};
  // The server's own limit on a transaction in which nothing is sent; the session ends then.
  std::chrono::milliseconds idle_limit{5000};
  // Further parameters of the session: {"lock_timeout", "2s"}.
  std::vector<std::pair<std::string, std::string>> settings = {};
  // Asked of every new connection before it is used. FAILED_PRECONDITION: this is not the database
  // that the program may use, and no session gets past these words. May be empty.
  std::function<absl::Status(Connection&)> accept = {};
  // Shared by all sessions that are made of these options or of a copy, as those of a pool.
  std::shared_ptr<Contact> contact = std::make_shared<Contact>();
};

class Session {
 public:
  Session(SessionOptions options, const clock::LocalClock& clock, clock::Timers& timers);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  using Work = absl::FunctionRef<absl::Status(Connection&)>;

  // Connects where needed, and does `work`, whose exceptions become statuses (see failure.h).
  // FAILED_PRECONDITION also when the database was not accepted.
  absl::Status run(Work work);

  // The two halves of run(), for transactions, which must not move to another connection halfway.
  // connect() ends what there was if that was lost. use() never connects.
  absl::Status connect();
  absl::Status use(Work work);

  // There is a connection, and as far as is known it works.
  [[nodiscard]] bool connected() const { return connected_.load(std::memory_order_relaxed); }
  // Counts the connections made: what a session of the server holds (locks) is lost with it.
  [[nodiscard]] std::uint64_t connections() const { return connections_; }

  // From any thread, and for good: ends what is under way, and refuses what comes. An attempt to
  // connect still takes as long as it takes, which is connect_timeout at most.
  void stop();

 private:
  absl::Status open();
  Failure guarded(Work work);
  void postpone(absl::Status error);
  void close();

  const SessionOptions options_;
  const std::string dsn_;
  const clock::LocalClock& clock_;
  clock::Timers& timers_;
  const std::shared_ptr<Plug> plug_;
  std::unique_ptr<Connection> connection_;
  std::atomic<bool> connected_{false};
  std::uint64_t connections_ = 0;
  // No attempt to connect before this instant, because the last one ended so.
  domain::LocalTime retry_at_{};
  absl::Status last_error_;
  std::optional<domain::LocalTime> unreachable_at_;  // that end; nothing: it was another one
  std::chrono::milliseconds backoff_{0};
};

}  // namespace stock::postgres
