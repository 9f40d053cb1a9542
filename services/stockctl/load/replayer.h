#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <queue>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "stockctl/files/sales_file.h"
#include "stockctl/files/sha256.h"
#include "stockctl/load/key_order.h"
#include "stockctl/load/line_report.h"
#include "stockctl/rpc/adjust_pipeline.h"
#include "stockctl/rpc/retry.h"
#include "stockctl/text/progress.h"

namespace stockctl {

struct ReplayOptions {
  // Of the file, and the options that change what is made of it: together they name the movements.
  Sha256::Digest digest;
  std::string words;
  std::string actor;
  std::size_t in_flight;
  // Times as fast as the file's own time; empty: as fast as possible.
  std::optional<double> speed;
  std::chrono::nanoseconds retry_for;
};

struct ReplaySummary {
  std::int64_t applied = 0;
  // Lines that an earlier run had applied already.
  std::int64_t already_applied = 0;
  std::int64_t retries = 0;
  std::chrono::nanoseconds time{};
  // What ended it before its end, if anything did; a cancelled status stands for Ctrl-C.
  absl::Status stopped;

  std::int64_t done() const { return applied + already_applied; }
};

// Applies the lines of a sales file in order of time, each as one movement: many at once, but those
// of one key one after the other, since a return may bring the stock that the next sale takes. Each
// movement's request_id follows from the file and the line: trying again, and running again, are
// harmless. One thread; used once.
class Replayer {
 public:
  // `refused` is told of the lines for which there was too little stock, `bad` of those that the
  // server does not understand.
  Replayer(const ClientOptions& client, const Sales& sales, const ReplayOptions& options,
           LineReport& refused, LineReport& bad);

  ReplaySummary run(Progress& progress);

 private:
  using Clock = std::chrono::steady_clock;

  // A line that waits before it is tried again.
  struct Retry {
    Clock::time_point at;
    std::uint32_t line;

    friend bool operator>(const Retry& a, const Retry& b) { return a.at > b.at; }
  };

  void start_what_is_due(Clock::time_point now);
  // When the next line of the file may begin, at the replay's speed.
  Clock::time_point due(std::uint32_t line) const;
  std::chrono::nanoseconds time_to_next_event(Clock::time_point now) const;
  void send(std::uint32_t line);
  void take(const AdjustPipeline::Answer& answer, Clock::time_point now);
  // Counts a line whose answer will not change. False when the error is not about this line alone.
  bool settle(const AdjustPipeline::Answer& answer);
  // Lines that have begun and not ended.
  std::size_t under_way() const { return pipeline_.in_flight() + retries_.size() + ready_.size(); }

  const Sales& sales_;
  const ReplayOptions& options_;
  LineReport& refused_;
  LineReport& bad_;
  AdjustPipeline pipeline_;
  KeyOrder order_;
  Clock::time_point began_;
  // The next line of the file.
  std::uint32_t next_ = 0;
  // Lines whose turn has come because the one before them has ended.
  std::queue<std::uint32_t> ready_;
  std::priority_queue<Retry, std::vector<Retry>, std::greater<>> retries_;
  std::unordered_map<std::uint32_t, Backoff> backoffs_;
  std::minstd_rand random_;
  ReplaySummary summary_;
};

}  // namespace stockctl
