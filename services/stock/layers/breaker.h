// Stops asking a layer that keeps failing, so that a dead layer costs its timeout a few times and
// not at every read. Closed: reads pass. After `failures` failed reads in a row: open, reads are
// answered kBreakerOpen at once. After `open_for`: one read at a time is let through; its success
// closes the breaker.
//
// Stands above Flights. Thread-safe.
#pragma once

#include <chrono>
#include <mutex>
#include <string>

#include "stock/clock/local_clock.h"
#include "stock/layers/layer.h"

namespace stock::layers {

class Breaker final : public Layer {
 public:
  struct Options {
    int failures = 5;
    std::chrono::nanoseconds open_for = std::chrono::seconds(1);
    // A read that got less time than this because its caller's deadline was near is no evidence.
    std::chrono::nanoseconds timeout = std::chrono::seconds(1);
  };

  Breaker(Layer& inner, const clock::LocalClock& clock, Options options)
      : inner_(inner), clock_(clock), options_(options) {}

  [[nodiscard]] std::string_view name() const override { return inner_.name(); }
  void read(std::span<const domain::Key> keys, std::span<Answer> answers,
            const ReadContext& context, Done done) override;

  // Reads pass freely.
  [[nodiscard]] bool closed() const;

 private:
  enum class Evidence { kWorks, kFails, kNone };

  bool admit(bool& trial);
  void learn(Evidence evidence, bool trial, const std::string& detail);
  std::string why() const;

  Layer& inner_;
  const clock::LocalClock& clock_;
  const Options options_;

  mutable std::mutex mutex_;
  int failures_ = 0;  // in a row
  bool open_ = false;
  bool trying_ = false;  // the one read of an open breaker is under way
  domain::LocalTime retry_at_;
  std::string last_error_;
};

}  // namespace stock::layers
