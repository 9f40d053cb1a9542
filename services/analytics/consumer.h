// Counts: one thread reads the stream of movements, another one writes what is waiting, and the
// position behind it, to the rollups. Whatever goes away is waited for; only what waiting does not
// mend ends it (failure()). All but start() and stop() may be called from any thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "analytics/counters.h"
#include "analytics/rollup_store.h"
#include "stock/clock/local_clock.h"
#include "stock/telemetry/log.h"

namespace analytics {

class Consumer {
 public:
  struct Options {
    std::string stock_address;  // of stockd
  };
  struct State {
    bool streaming = false;  // something was heard lately
    std::string stream_error;
    bool counting = false;  // the last transaction was committed
    std::string database_error;
    std::optional<DatabaseTime> watermark;  // all that was committed by then is counted
  };

  // `session` is nobody else's. All must outlive it.
  Consumer(Options options, stock::postgres::Session& session, Counters& counters,
           const stock::clock::LocalClock& clock);
  ~Consumer();
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;

  void start();
  void stop();

  [[nodiscard]] State state() const;
  // It has given up: with these words for the operator.
  [[nodiscard]] std::optional<std::string> failure() const;

 private:
  // Why reading from one position has come to its end.
  enum class Next { kReadAgain, kGiveUp };

  void run();
  std::optional<Position> learn_position();
  Next follow_from(Position position);
  Next judge(const absl::Status& ended);
  // False: it is to stop, or the position was moved by another hand.
  bool apply(Position& position, const Batch& batch);
  void tell(const Position& before, const Batch& batch, const Applied& applied);
  void database_answered(const absl::Status& status);
  void stream_broke(const absl::Status& status);
  void give_up(std::string why);
  // False: it is to stop.
  bool wait(std::chrono::milliseconds time);

  const Options options_;
  stock::postgres::Session& session_;
  RollupStore store_;
  Counters& counters_;
  const stock::clock::LocalClock& clock_;
  stock::telemetry::LogEvery database_log_;
  stock::telemetry::LogEvery stream_log_;
  std::atomic<bool> stopping_{false};
  std::atomic<stock::domain::LocalTime> heard_{stock::domain::LocalTime::min()};
  mutable std::mutex mutex_;
  std::condition_variable woken_;
  State state_;  // but for `streaming`
  std::optional<std::string> failure_;
  std::thread thread_;
};

}  // namespace analytics
