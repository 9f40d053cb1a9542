// Stops asking a layer that keeps failing, so that a dead layer costs its timeout a few times and
// not at every read. Closed: reads pass. After `failures` failed reads in a row: open, reads are
// answered kBreakerOpen at once. After `open_for`: one read at a time is let through; its success
// closes the breaker.
//
// Stands above Flights. What is asked of the layer in other ways (lists) asks to be admitted, and
// tells what came of it. Thread-safe.
#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "stock/clock/local_clock.h"
#include "stock/layers/layer.h"

namespace stock::layers {

class Breaker final : public Layer {
 public:
  struct Options {
    int failures = 5;
    std::chrono::nanoseconds open_for = std::chrono::seconds(1);
    // A read that got less time than this because its caller's deadline was near is no evidence...
    std::chrono::nanoseconds timeout = std::chrono::seconds(1);
    // ...unless somebody else has waited for as long: as Flights knows. May be empty.
    std::function<bool()> overdue = {};
  };

  Breaker(Layer& inner, const clock::LocalClock& clock, Options options)
      : inner_(inner), clock_(clock), options_(std::move(options)) {}

  [[nodiscard]] std::string_view name() const override { return inner_.name(); }
  void read(std::span<const domain::Key> keys, std::span<Answer> answers,
            const ReadContext& context, Done done) override;

  // Reads pass freely.
  [[nodiscard]] bool closed() const;

  enum class Evidence { kWorks, kFails, kNone };
  struct Attempt {
    bool trial = false;  // the one of an open breaker
  };
  // Nothing: the layer is left alone, for the reason that why() tells. Who is admitted tells what
  // came of it, once.
  std::optional<Attempt> admit();
  void learn(Attempt attempt, Evidence evidence, const std::string& detail);
  [[nodiscard]] std::string why() const;

 private:
  Layer& inner_;
  const clock::LocalClock& clock_;
  const Options options_;

  mutable std::mutex mutex_;
  int failures_ = 0;  // in a row
  bool open_ = false;
  bool trying_ = false;  // the trial of an open breaker is under way
  domain::LocalTime retry_at_;
  std::string last_error_;
};

}  // namespace stock::layers
