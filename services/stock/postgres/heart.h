// The pulse of a process, and the heartbeat of the ledger.
//
// A thread on a session of its own to the primary. Every `pulse_interval` it asks what the
// database's clock says and which incarnation the ledger is in, so that ages stay known while
// nobody reads. One process at a time leads, by an advisory lock: it begins an incarnation where
// there is none, or the database's clock was set, and writes a numbered heartbeat every
// `heartbeat_interval`, by which standbys are dated, and when transactions became visible. A leader
// that hangs loses its session, and the lock with it, in 0.6 s; another one finds that out by the
// next pulse. Nothing false follows from two leaders, or from none.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "stock/clock/timers.h"
#include "stock/domain/reading.h"
#include "stock/postgres/asker.h"
#include "stock/postgres/session.h"

namespace pqxx {
class transaction_base;
}

namespace stock::postgres {

class Heart {
 public:
  struct State {
    bool leads = false;
    bool primary_reachable = false;
    std::string error;  // why the last beat or pulse failed; empty when it did not
    domain::HeartbeatNumber heartbeat = 0;  // the last one that this process wrote
    // Incarnations that this process began: because there was none, and because the database's
    // clock had been set.
    std::int64_t begun_anew = 0;
    std::int64_t begun_by_clock = 0;
  };
  struct Options {
    SessionOptions session;  // to the primary, as a role that may write
    std::chrono::milliseconds heartbeat_interval{100};
    std::chrono::milliseconds pulse_interval{250};
    // Without it nobody is asked but for the lead: a feed finds out the same, and more often.
    bool pulse = true;
    // Called on the heart's thread when `leads` or `primary_reachable` has changed. May be empty.
    std::function<void(const State&)> on_change = {};
  };

  Heart(Options options, Knowledge knowledge, clock::Timers& timers);
  // Gives up the lead.
  ~Heart();
  Heart(const Heart&) = delete;
  Heart& operator=(const Heart&) = delete;

  // From any thread.
  [[nodiscard]] State state() const;

 private:
  void run();
  bool sleep_until(domain::LocalTime when);
  absl::Status seek_lead();
  absl::Status pulse();
  absl::Status beat();
  bool write_heartbeat(Connection& connection, pqxx::transaction_base& transaction);
  bool begin_incarnation(Connection& connection);
  void prune(Connection& connection);
  [[nodiscard]] bool leads() const;
  void report(const absl::Status& status);

  const Options options_;
  const Knowledge knowledge_;
  const Asker asker_;
  Session session_;

  // Of the heart's thread:
  std::uint64_t leads_on_ = 0;  // which of the session's connections holds the lock; 0: none
  domain::HeartbeatNumber heartbeat_ = 0;
  domain::LocalTime prune_at_{};
  std::int64_t begun_anew_ = 0;
  std::int64_t begun_by_clock_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable stop_;
  bool stopping_ = false;
  State state_;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace stock::postgres
