// Timers on a thread of their own, which sleeps until the next one is due.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "stock/clock/local_clock.h"
#include "stock/clock/timers.h"

namespace stock::clock {

class TimerThread final : public Timers {
 public:
  explicit TimerThread(const LocalClock& clock);
  // Drops what is not due yet.
  ~TimerThread() override;

  Id at(domain::LocalTime when, absl::AnyInvocable<void()> action) override;
  void cancel(Id id) override;
  void drain() override;

 private:
  void run();

  const LocalClock& clock_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::pair<domain::LocalTime, Id>, absl::AnyInvocable<void()>> due_;
  std::map<Id, domain::LocalTime> when_;
  // When the thread looks again by itself. Most timers are cancelled long before they are due:
  // those that are set meanwhile for later do not wake it.
  domain::LocalTime wakes_at_ = domain::LocalTime::min();
  Id next_id_ = 1;
  std::uint64_t started_ = 0;   // actions begun
  std::uint64_t finished_ = 0;  // and ended
  std::condition_variable idle_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace stock::clock
