// A batcher with a ledger in memory, whose batches a test can hold up; for the tests of the
// batcher.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "stock/ledger/batcher.h"
#include "support/eventually.h"
#include "support/fake_store.h"
#include "support/manual_clock.h"

namespace stock::ledger {

using domain::Key;
using domain::LocalTime;
using domain::Uuid;
using std::chrono::milliseconds;
using std::chrono::seconds;
using support::eventually;
using support::FakeStore;
using support::ManualClock;

using Step = FakeStore::Step;
using Fate = FakeStore::Fate;

using Fate = FakeStore::Fate;

inline const Key kTea{"TEA", "berlin"};
inline const Key kCoffee{"COFFEE", "berlin"};

inline Uuid id(std::uint8_t n) { return Uuid{n}; }

inline Request adjust(std::uint8_t n, const Key& key, std::int64_t delta) {
  Request request;
  request.id = id(n);
  request.digest = {static_cast<std::uint8_t>(delta)};
  request.changes.emplace_back(Adjust{key, delta});
  return request;
}

inline Request on_reservation(std::uint8_t number, const domain::Uuid& reservation,
                              decltype(Action::what) what) {
  Request request = adjust(number, kTea, 0);
  request.changes.clear();
  request.action = Action{.reservation = reservation, .expected_revision = {}, .what = {}};
  request.action->what = std::move(what);
  return request;
}

inline Request reserve(std::uint8_t number, std::vector<Line> lines) {
  return on_reservation(number, id(number), Reserve{.lines = std::move(lines), .ttl = seconds(60)});
}

// Closed until it is opened; knows whether somebody waits.
class Gate {
 public:
  void pass() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
    --waiting_;
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void await_visitor() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_ > 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int waiting_ = 0;
  bool open_ = false;
};

class Counting final : public Observer {
 public:
  void waited(std::chrono::nanoseconds) override {}
  void batch_decided(const Plan& plan, std::chrono::nanoseconds) override {
    const std::lock_guard lock(mutex_);
    decided.emplace_back(plan.outcomes.size(), plan.movements.size());
  }
  void refused(Reason reason) override {
    const std::lock_guard lock(mutex_);
    ++refusals[reason];
  }
  void retried(Retry retry) override {
    const std::lock_guard lock(mutex_);
    ++retries[retry];
  }
  int count(Retry retry) {
    const std::lock_guard lock(mutex_);
    return retries[retry];
  }

  std::mutex mutex_;
  std::vector<std::pair<std::size_t, std::size_t>> decided;
  std::map<Reason, int> refusals;
  std::map<Retry, int> retries;
};

class BatcherTest : public ::testing::Test {
 protected:
  BatcherTest() {
    store.put(kTea, {.on_hand = 100}, 1);
    options.min_backoff = milliseconds(1);
    options.max_backoff = milliseconds(2);
  }
  ~BatcherTest() override { hold.open(); }

  void start() { batcher.emplace(options, store, clock, observer); }

  // Until release(), the batcher's thread stays in the commit of a first request, so that what is
  // submitted meanwhile becomes one batch.
  void start_busy() {
    store.before_commit([this] { hold.pass(); });
    start();
    submit(adjust(255, {"CUP", "berlin"}, 1));
    hold.await_visitor();
  }
  void release() { hold.open(); }

  void submit(Request request, seconds patience = seconds(10)) {
    const std::size_t place = submitted++;
    batcher->submit(std::move(request), clock.now() + patience, [this, place](Outcome outcome) {
      const std::lock_guard lock(mutex);
      EXPECT_FALSE(outcomes.contains(place)) << "answered twice";
      outcomes[place] = std::move(outcome);
      order.push_back(place);
    });
  }

  // The answer to the n-th request submitted, from 0.
  Outcome outcome(std::size_t n) {
    EXPECT_TRUE(eventually([&] {
      const std::lock_guard lock(mutex);
      return outcomes.contains(n);
    }));
    const std::lock_guard lock(mutex);
    return outcomes[n];
  }
  std::size_t answered() {
    const std::lock_guard lock(mutex);
    return outcomes.size();
  }
  Applied applied(std::size_t n) {
    const Outcome answer = outcome(n);
    if (const auto* refusal = std::get_if<Refusal>(&answer)) {
      ADD_FAILURE() << reason_name(refusal->reason) << ": " << refusal->message;
      return {};
    }
    return std::get<Applied>(answer);
  }
  Refusal refusal(std::size_t n) {
    const Outcome answer = outcome(n);
    if (!std::holds_alternative<Refusal>(answer)) {
      ADD_FAILURE() << "it was applied";
      return {};
    }
    return std::get<Refusal>(answer);
  }

  FakeStore store;
  ManualClock clock;
  Counting observer;
  Gate hold;
  std::mutex mutex;
  std::map<std::size_t, Outcome> outcomes;
  std::vector<std::size_t> order;
  std::size_t submitted = 0;
  Batcher::Options options;
  std::optional<Batcher> batcher;  // last, so that it stops first
};

}  // namespace stock::ledger
