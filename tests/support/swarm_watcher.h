// Clients of the swarm that follow streams: watches of keys and of a location, and the movements
// from the beginning and from now. They leave and come back now and then, to whichever stockd, with
// the token of the last message that had one, and write down everything that they were told.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <random>
#include <string>

#include "support/history.h"
#include "support/swarm.h"

namespace stock::support {

// Runs on a thread of its own; the other methods are for any.
class SwarmWatcher {
 public:
  // What it follows goes by its number.
  static std::unique_ptr<SwarmWatcher> make(const Swarm::Options& options, int number);
  virtual ~SwarmWatcher() = default;

  // Until finish() or cancel().
  void run();
  // Ends when it has been told everything through this instant.
  void finish(domain::DatabaseTime through) { until_ = through.time_since_epoch().count(); }
  [[nodiscard]] bool is_finished() const { return finished_; }
  // Ends at once.
  void cancel();

  // Of a watcher that has ended: moves what it was told.
  virtual void add_to(History& history) = 0;

 protected:
  SwarmWatcher(const Swarm::Options& options, int number);

  // One call, until it ends or the watcher leaves it.
  virtual void follow(const std::string& address) = 0;

  std::uint64_t pick(std::uint64_t below) { return chance_() % below; }
  // True: that is all that there is to be told.
  bool came_through(domain::DatabaseTime watermark);
  // Makes the call that cancel() ends; none when that has been called.
  void hold(std::function<void()> cancel_call);

  const Swarm::Options& options_;
  std::mt19937_64 chance_;

 private:
  std::atomic<std::int64_t> until_{std::numeric_limits<std::int64_t>::max()};
  std::atomic<bool> finished_{false};
  std::atomic<bool> cancelled_{false};
  std::mutex mutex_;
  std::function<void()> cancel_call_;
};

}  // namespace stock::support
