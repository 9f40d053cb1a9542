// A layer whose answers the test writes. Held: reads wait until the test releases them, one by one.
// Thread-safe.
#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "stock/layers/layer.h"

namespace stock::support {

class FakeLayer final : public layers::Layer, public layers::Fillable {
 public:
  explicit FakeLayer(std::string name) : name_(std::move(name)) {}

  [[nodiscard]] std::string_view name() const override { return name_; }

  void read(std::span<const domain::Key> keys, std::span<layers::Answer> answers,
            const layers::ReadContext&, layers::Done done) override {
    {
      const std::lock_guard lock(mutex_);
      reads_.emplace_back(keys.begin(), keys.end());
      if (held_) {
        waiting_.push_back({keys, answers, std::move(done)});
        return;
      }
    }
    answer({keys, answers, std::move(done)});
  }

  void offer(std::span<const domain::Key> keys,
             std::span<const domain::Reading> readings) override {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < keys.size(); ++i) offers_[keys[i]] = readings[i];
  }

  // What it says of `key` from now on; without this: kMiss.
  void says(const domain::Key& key, const domain::Reading& reading,
            std::shared_ptr<const domain::Snapshot> shows = nullptr) {
    const std::lock_guard lock(mutex_);
    readings_[key] = reading;
    shows_[key] = std::move(shows);
  }
  // Every key is answered so, with `detail`; nullopt: as it says.
  void fails(std::optional<domain::Outcome> outcome, std::string detail = "") {
    const std::lock_guard lock(mutex_);
    failure_ = outcome;
    detail_ = std::move(detail);
  }
  void hold() {
    const std::lock_guard lock(mutex_);
    held_ = true;
  }
  // Answers the oldest read that waits; false: there is none.
  bool release() {
    Waiting waiting;
    {
      const std::lock_guard lock(mutex_);
      if (waiting_.empty()) return false;
      waiting = std::move(waiting_.front());
      waiting_.pop_front();
    }
    answer(std::move(waiting));
    return true;
  }

  // The keys of each read so far.
  [[nodiscard]] std::vector<std::vector<domain::Key>> reads() const {
    const std::lock_guard lock(mutex_);
    return reads_;
  }
  [[nodiscard]] std::optional<domain::Reading> offered(const domain::Key& key) const {
    const std::lock_guard lock(mutex_);
    const auto it = offers_.find(key);
    return it == offers_.end() ? std::nullopt : std::optional(it->second);
  }
  [[nodiscard]] std::map<domain::Key, domain::Reading> offers() const {
    const std::lock_guard lock(mutex_);
    return offers_;
  }

 private:
  struct Waiting {
    std::span<const domain::Key> keys;
    std::span<layers::Answer> answers;
    layers::Done done;
  };

  void answer(Waiting waiting) {
    std::string detail;
    {
      const std::lock_guard lock(mutex_);
      detail = detail_;
      for (std::size_t i = 0; i < waiting.keys.size(); ++i) {
        layers::Answer& answer = waiting.answers[i];
        const auto it = readings_.find(waiting.keys[i]);
        if (failure_) {
          answer.outcome = *failure_;
        } else if (it == readings_.end()) {
          answer.outcome = domain::Outcome::kMiss;
        } else {
          answer = {domain::Outcome::kHit, it->second, shows_[it->first]};
        }
      }
    }
    waiting.done(std::move(detail));
  }

  const std::string name_;
  mutable std::mutex mutex_;
  std::map<domain::Key, domain::Reading> readings_;
  std::map<domain::Key, std::shared_ptr<const domain::Snapshot>> shows_;
  std::map<domain::Key, domain::Reading> offers_;
  std::optional<domain::Outcome> failure_;
  std::string detail_;
  bool held_ = false;
  std::deque<Waiting> waiting_;
  std::vector<std::vector<domain::Key>> reads_;
};

}  // namespace stock::support
