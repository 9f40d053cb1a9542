// Clients of a fleet of stockds: they read, write and follow streams at random, through whichever
// instance, and write down everything that they were told. Somebody with psql changes levels
// meanwhile, and another one looks at the database's clock.
//
// What each client does next follows from the seed alone; when, and what comes of it, does not.
// Threads: one for each client and watcher, one for the intruder, one for the clock. The methods
// are for one thread.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "support/history.h"

namespace stock::support {

class Swarm {
 public:
  struct Options {
    std::vector<std::string> addresses;         // of the stockds
    std::vector<std::string> stream_addresses;  // of those that have a feed
    std::uint64_t seed = 1;
    int clients = 6;
    int watchers = 5;
    // Of a hundred calls, how many write.
    std::uint64_t writes = 23;
    std::vector<domain::Key> keys;
    // All that there are, in order of id.
    std::vector<std::string> locations;
    // What the stockds were told as --max-staleness.
    std::chrono::microseconds max_staleness = std::chrono::seconds(2);
    // Of each call: bounds how long a client hangs with a stockd that does.
    std::chrono::milliseconds deadline = std::chrono::seconds(1);
    // The primary, for a superuser; asked for anew whenever a connection is lost.
    std::function<std::string()> primary_url;
    // Keys that only the intruder writes: seldom, and it can hold them locked as long as it likes.
    std::vector<domain::Key> intruders_keys;
  };

  // Begins.
  explicit Swarm(Options options);
  ~Swarm();
  Swarm(const Swarm&) = delete;
  Swarm& operator=(const Swarm&) = delete;

  // Calls that were answered; that failed, for whatever reason.
  [[nodiscard]] std::uint64_t answered() const;
  [[nodiscard]] std::uint64_t failed() const;

  // Until so many more calls have been answered; have ended, in whatever way. EXPECT_TRUE() it.
  ::testing::AssertionResult await_answers(std::uint64_t more);
  ::testing::AssertionResult await_calls(std::uint64_t more);

  // Ends all of it, when the watchers have been told of the last write: what everyone was told. The
  // stockds and the primary must be well.
  History stop();

 private:
  struct Shared;

  template <typename Count>
  ::testing::AssertionResult await_more(Count count, std::uint64_t more);

  std::unique_ptr<Shared> shared_;
};

}  // namespace stock::support
