#include "stock/drift/witness_clocks.h"

#include <algorithm>
#include <cstdlib>

namespace stock::drift {
namespace {

using std::chrono::microseconds;

// By the two clocks; their difference included.
microseconds took(WitnessTime sent_at, const Span& arrived) {
  return arrived.latest.time_since_epoch() - sent_at.time_since_epoch();
}

}  // namespace

std::optional<Skew> WitnessClocks::heard(const std::string& witness, const std::string& instance,
                                         WitnessTime sent_at, const Span& arrived) {
  const std::lock_guard lock(mutex_);
  Clock& clock = of({witness, instance}, took(sent_at, arrived), sent_at, arrived.latest);
  learn(clock, sent_at, arrived);
  return clock.skew;
}

WitnessClocks::Clock& WitnessClocks::of(const Name& name, microseconds took, WitnessTime sent_at,
                                        domain::DatabaseTime now) {
  if (const auto known = by_name_.find(name); known != by_name_.end()) {
    clocks_.splice(clocks_.begin(), clocks_, known->second);
    return clocks_.front();
  }
  if (clocks_.size() >= capacity_) {
    by_name_.erase(clocks_.back().name);
    clocks_.pop_back();
  }
  clocks_.push_front({.name = name,
                      .began = now,
                      .least = took,
                      .before = std::nullopt,
                      .most = took,
                      .first = sent_at,
                      .last = sent_at,
                      .skew = std::nullopt});
  by_name_[name] = clocks_.begin();
  return clocks_.front();
}

void WitnessClocks::learn(Clock& clock, WitnessTime sent_at, const Span& arrived) {
  const microseconds now = took(sent_at, arrived);
  const auto least = [&] { return std::min(clock.least, clock.before.value_or(clock.least)); };
  const auto anew = [&] {
    clock.most = now;
    clock.first = clock.last = sent_at;
    clock.skew.reset();
  };
  if (arrived.latest - clock.began > kWindow) {
    const microseconds was = least();
    clock.before = clock.least;
    clock.least = now;
    clock.began = arrived.latest;
    if (least() > was + kPace) anew();
  }
  if (now < least() - kPace) {
    // It was set, or all before came late.
    clock.before.reset();
    anew();
  } else if (now > least() + kPace) {
    return;
  }
  clock.least = std::min(clock.least, now);
  clock.most = std::max(clock.most, now);
  // Little by little: a backlog is arriving.
  if (clock.most > least() + kPace) anew();
  clock.first = std::min(clock.first, sent_at);
  clock.last = std::max(clock.last, sent_at);
  if (clock.last - clock.first < kProof) return;
  clock.skew = Skew{.ahead = -least(), .uncertainty = kUncertainty};
}

microseconds WitnessClocks::largest(std::string_view witness) const {
  const std::lock_guard lock(mutex_);
  microseconds largest{0};
  for (const Clock& clock : clocks_) {
    if (clock.name.first != witness || !clock.skew) continue;
    largest = std::max(largest, std::chrono::abs(clock.skew->ahead));
  }
  return largest;
}

std::size_t WitnessClocks::size() const {
  const std::lock_guard lock(mutex_);
  return clocks_.size();
}

}  // namespace stock::drift
