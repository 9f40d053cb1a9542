// Keeps the last testimony of each witness, instance, key, cohort and window, by its own date.
//
// Those who judge only leave it here; a thread of its own writes what has come since, in batches
// and no faster than the store is meant to be written to. Of what comes more often than that the
// last one counts; what finds no room is not kept, and counted. Several processes may keep.
//
// Thread-safe. Everything passed in outlives it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "stock/clock/local_clock.h"
#include "stock/drift/archive.h"
#include "stock/drift/testimony_desk.h"

namespace stock::drift {

class TestimonyKeeper final : public TestimonyListener {
 public:
  struct Options {
    std::chrono::milliseconds interval{500};
    std::size_t batch = 500;      // written per interval
    std::size_t capacity = 4096;  // that wait to be written
    std::int64_t rows = 10'000;   // of each witness, in the store
    std::function<bool()> leads = [] { return true; };
    // They could not be written; they wait. On the keeper's thread.
    std::function<void(const absl::Status&)> failed = [](const absl::Status&) {};
  };

  TestimonyKeeper(Options options, TestimonyStore& store, const clock::LocalClock& clock);
  // Writes what is waiting, if it can be written at once.
  ~TestimonyKeeper() override;
  TestimonyKeeper(const TestimonyKeeper&) = delete;
  TestimonyKeeper& operator=(const TestimonyKeeper&) = delete;

  void judged(const Told& told, const Judged& judged) override;

  [[nodiscard]] std::uint64_t dropped() const;
  // In the store, when this process last looked, as the leader.
  [[nodiscard]] std::int64_t rows(const std::string& witness) const;

 private:
  using Name = std::tuple<std::string, std::string, domain::Key, std::string, domain::DatabaseTime>;

  void run();
  absl::Status write();
  absl::Status prune();

  const Options options_;
  TestimonyStore& store_;
  const clock::LocalClock& clock_;
  std::optional<domain::LocalTime> pruned_at_;  // the thread's

  mutable std::mutex mutex_;  // guards the rest
  std::condition_variable wake_;
  std::map<Name, KeptTestimony> waiting_;
  std::map<std::string, std::int64_t> rows_;
  std::uint64_t dropped_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace stock::drift
