#include "stock/layers/flights.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace stock::layers {

using domain::Outcome;

// One caller's read. Its spans are touched only under the mutex and only until it is settled.
struct Flights::Waiter {
  std::span<Answer> answers;
  std::vector<bool> answered;
  std::size_t missing = 0;
  const std::atomic<bool>* cancelled = nullptr;
  Departures::iterator departure;
  std::string detail;
  Done done;
  bool settled = false;

  [[nodiscard]] bool gone() const {
    return settled || (cancelled != nullptr && cancelled->load(std::memory_order_relaxed));
  }
};

// One read of the layer. Owns what the layer fills in, so that callers may give up before it is
// back.
struct Flights::Flight {
  std::vector<domain::Key> keys;
  std::vector<Answer> answers;
  std::vector<std::vector<Passenger>> passengers;  // per key
  domain::LocalTime left;
};

Flights::Flights(Layer& inner, const clock::LocalClock& clock, clock::Timers& timers,
                 Options options)
    : inner_(inner),
      clock_(clock),
      timers_(timers),
      options_(options),
      limit_({.target = options.target_wait,
              .floor = static_cast<std::size_t>(options.max_batch),
              .ceiling = options.max_waiting}) {}

Flights::~Flights() {
  {
    const std::lock_guard lock(mutex_);
    if (timer_ != 0) timers_.cancel(timer_);
  }
  timers_.drain();
}

void Flights::read(std::span<const domain::Key> keys, std::span<Answer> answers,
                   const ReadContext& context, Done done) {
  if (keys.empty()) return done({});
  const domain::LocalTime now = clock_.now();
  auto waiter = std::make_shared<Waiter>();
  waiter->answers = answers;
  waiter->answered.resize(keys.size());
  waiter->missing = keys.size();
  waiter->cancelled = context.cancelled;
  waiter->done = std::move(done);
  if (!enqueue(keys, waiter, context.deadline, now)) {
    for (Answer& answer : answers) answer.outcome = Outcome::kRefused;
    return waiter->done(fmt::format("not asked, too many reads wait for {}", inner_.name()));
  }
  launch();
}

// False: too much waits already. Who asks for what others wait for makes it no more.
bool Flights::enqueue(std::span<const domain::Key> keys, const std::shared_ptr<Waiter>& waiter,
                      domain::LocalTime deadline, domain::LocalTime now) {
  const std::lock_guard lock(mutex_);
  const domain::LocalTime oldest = order_.empty() ? now : order_.front().since;
  if (!limit_.admits(order_.size(), oldest, now) &&
      std::ranges::any_of(keys, [this](const auto& key) { return !queued_.contains(key); })) {
    return false;
  }
  waiter->departure = departures_.emplace(std::min(deadline, now + options_.timeout), waiter);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto [it, fresh] = queued_.try_emplace(keys[i]);
    if (fresh) order_.push_back({.key = keys[i], .since = now});
    it->second.passengers.push_back({waiter, i, !fresh});
  }
  arm();
  return true;
}

int Flights::waiting() const {
  const std::lock_guard lock(mutex_);
  return static_cast<int>(order_.size());
}

int Flights::under_way() const {
  const std::lock_guard lock(mutex_);
  return static_cast<int>(left_.size());
}

bool Flights::overdue() const {
  const std::lock_guard lock(mutex_);
  const domain::LocalTime now = clock_.now();
  return std::ranges::any_of(
      left_, [&](domain::LocalTime left) { return now - left >= options_.timeout; });
}

std::size_t Flights::waiting_limit() const {
  const std::lock_guard lock(mutex_);
  return limit_.limit();
}

void Flights::launch() {
  while (true) {
    Landing landing;
    std::shared_ptr<Flight> flight;
    {
      const std::lock_guard lock(mutex_);
      flight = board(landing);
    }
    tell(landing);
    if (!flight) return;
    leave(std::move(flight));
  }
}

void Flights::leave(std::shared_ptr<Flight> flight) {
  const std::span<const domain::Key> keys = flight->keys;
  const std::span<Answer> answers = flight->answers;
  inner_.read(
      keys, answers, {.deadline = clock_.now() + options_.timeout},
      [this, flight = std::move(flight)](const std::string& detail) { landed(*flight, detail); });
}

bool Flights::may_leave(domain::LocalTime now) const {
  if (order_.empty() || static_cast<int>(left_.size()) >= options_.max_flights) return false;
  return left_.empty() || order_.size() >= options_.company * left_.size() ||
         now - left_.back() >= options_.hurry;
}

// The next flight, if one is free and worth it, and somebody still waits for it. Those who have
// gone are settled.
std::shared_ptr<Flights::Flight> Flights::board(Landing& landing) {
  const domain::LocalTime now = clock_.now();
  if (!may_leave(now)) return nullptr;
  auto flight = std::make_shared<Flight>();
  const std::size_t waiting = order_.size();
  domain::LocalTime youngest;
  while (!order_.empty() && static_cast<int>(flight->keys.size()) < options_.max_batch) {
    Place& first = order_.front();
    youngest = first.since;
    const auto it = queued_.find(first.key);
    auto passengers = std::move(it->second.passengers);
    std::erase_if(passengers, [&](const Passenger& passenger) {
      if (!passenger.waiter->gone()) return false;
      if (!passenger.waiter->settled) {
        passenger.waiter->detail = "the caller has gone";
        settle(passenger.waiter, landing);
      }
      return true;
    });
    if (!passengers.empty()) {
      flight->keys.push_back(std::move(first.key));
      flight->passengers.push_back(std::move(passengers));
    }
    queued_.erase(it);
    order_.pop_front();
  }
  limit_.took(waiting, now - youngest, now);
  if (flight->keys.empty()) return nullptr;
  flight->answers.resize(flight->keys.size());
  flight->left = now;
  left_.push_back(now);
  return flight;
}

void Flights::landed(Flight& flight, const std::string& detail) {
  Landing landing;
  std::shared_ptr<Flight> next;
  {
    const std::lock_guard lock(mutex_);
    left_.erase(std::ranges::find(left_, flight.left));
    for (std::size_t i = 0; i < flight.keys.size(); ++i) {
      for (const Passenger& passenger : flight.passengers[i]) {
        if (!detail.empty() && !passenger.waiter->settled) passenger.waiter->detail = detail;
        answer(passenger, flight.answers[i], landing);
      }
    }
    next = board(landing);
  }
  // When the last read has been told, there may be nothing left of this object.
  tell(landing);
  if (next) leave(std::move(next));
}

void Flights::answer(const Passenger& passenger, const Answer& answer, Landing& landing) {
  Waiter& waiter = *passenger.waiter;
  if (waiter.settled) return;
  Answer& slot = waiter.answers[passenger.index];
  slot = answer;
  if (passenger.joined && slot.outcome == Outcome::kHit) slot.outcome = Outcome::kCoalesced;
  waiter.answered[passenger.index] = true;
  if (--waiter.missing == 0) settle(passenger.waiter, landing);
}

// What is still missing failed. Nobody touches the spans afterwards.
void Flights::settle(const std::shared_ptr<Waiter>& waiter, Landing& landing) {
  for (std::size_t i = 0; waiter->missing > 0 && i < waiter->answered.size(); ++i) {
    if (waiter->answered[i]) continue;
    waiter->answers[i].outcome = Outcome::kTimeout;
    --waiter->missing;
  }
  waiter->settled = true;
  departures_.erase(waiter->departure);
  landing.push_back(waiter);
}

// One timer for the earliest instant at which somebody gives up; it is left alone when that one is
// answered, so that an answered read costs the timers nothing.
void Flights::arm() {
  if (departures_.empty()) return;
  const domain::LocalTime first = departures_.begin()->first;
  if (first >= armed_) return;
  if (timer_ != 0) timers_.cancel(timer_);
  armed_ = first;
  timer_ = timers_.at(first, [this, first] { expire(first); });
}

// A timer that another one has replaced while it was going off leaves that one alone.
void Flights::expire(domain::LocalTime armed) {
  Landing landing;
  {
    const std::lock_guard lock(mutex_);
    if (armed_ != armed) return;
    armed_ = domain::LocalTime::max();
    timer_ = 0;
    const domain::LocalTime now = clock_.now();
    while (!departures_.empty() && departures_.begin()->first <= now) {
      const std::shared_ptr<Waiter> waiter = departures_.begin()->second;
      waiter->detail = fmt::format("{} did not answer in time", inner_.name());
      settle(waiter, landing);
    }
    arm();
  }
  tell(landing);
}

void Flights::tell(Landing& landing) {
  for (const auto& waiter : landing) waiter->done(std::move(waiter->detail));
}

}  // namespace stock::layers
