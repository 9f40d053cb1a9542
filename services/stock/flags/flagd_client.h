// A client of flagd, by its evaluation protocol (proto/flagd): the only room that knows it.
//
// One connection, on a thread of its own; any thread may ask. What comes from there is not trusted:
// names are cut to 64 bytes of printable text, and what is no flag of ours is dropped. A connection
// over which nothing was answered for a while is given up for a new one, since a network may
// swallow everything without a word.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "stock/clock/local_clock.h"
#include "stock/clock/timers.h"
#include "stock/layers/flag_service.h"

namespace stock::flags {

struct FlagdOptions {
  std::string address;              // host:port
  std::vector<domain::Flag> flags;  // whose values are wanted, in the order of the answers
  std::chrono::nanoseconds retry_after = std::chrono::milliseconds(250);  // of the stream
  std::chrono::nanoseconds give_up_after = std::chrono::seconds(3);       // of a silent connection
};

class FlagdClient final : public layers::FlagService {
 public:
  // Connects when it is first asked for something. Clock and timers outlive it.
  FlagdClient(FlagdOptions options, const clock::LocalClock& clock, clock::Timers& timers);
  // Ends all calls under way: each is answered. The listener is not called afterwards.
  ~FlagdClient() override;
  FlagdClient(const FlagdClient&) = delete;
  FlagdClient& operator=(const FlagdClient&) = delete;

  void follow(Listener& listener) override;
  void resolve(const layers::FlagQuestion& question, domain::LocalTime deadline,
               Done done) override;

 private:
  class Connection;
  const std::unique_ptr<Connection> connection_;
};

}  // namespace stock::flags
