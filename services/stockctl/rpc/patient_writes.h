#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <random>
#include <unordered_map>
#include <vector>

#include "stockctl/rpc/retry.h"
#include "stockctl/rpc/write_pipeline.h"

namespace stockctl {

// Writes, many at a time, each of which is tried again until its answer will not change: the server
// was away, was too busy, or did not answer in time. Belongs to one thread.
class PatientWrites {
 public:
  // Makes the request of a tag, for each try. Must make the same one each time, with a request_id.
  using Make = std::function<WriteRequest(std::uint32_t tag)>;

  PatientWrites(const ClientOptions& client, std::chrono::nanoseconds retry_for, Make make)
      : retry_for_(retry_for),
        make_(std::move(make)),
        pipeline_(client),
        random_(std::random_device{}()) {}

  void start(std::uint32_t tag) { pipeline_.start(tag, make_(tag)); }

  // The next answer for good, or nothing when there is none within `time`, or a little sooner.
  std::optional<WriteAnswer> wait(std::chrono::nanoseconds time);

  // From now on nothing is tried again: the answers are those of the calls that are under way.
  void stop_trying();

  // Started and not answered for good.
  std::size_t under_way() const { return pipeline_.in_flight() + retries_.size(); }
  std::int64_t retries() const { return retried_; }

 private:
  using Clock = Backoff::Clock;

  // What waits before it is tried again.
  struct Retry {
    Clock::time_point at;
    std::uint32_t tag;

    friend bool operator>(const Retry& a, const Retry& b) { return a.at > b.at; }
  };

  const std::chrono::nanoseconds retry_for_;
  const Make make_;
  WritePipeline pipeline_;
  std::priority_queue<Retry, std::vector<Retry>, std::greater<>> retries_;
  std::unordered_map<std::uint32_t, Backoff> backoffs_;
  std::minstd_rand random_;
  std::int64_t retried_ = 0;
  bool trying_ = true;
};

}  // namespace stockctl
