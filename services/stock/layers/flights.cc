#include "stock/layers/flights.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "absl/hash/hash.h"

namespace stock::layers {

using domain::Outcome;

// One caller's read. Its spans are touched only under the mutex and only until it is settled.
struct Flights::Waiter {
  std::span<Answer> answers;
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
  struct Seat {
    Passenger passenger;
    std::size_t key;
  };
  std::vector<domain::Key> keys;
  std::vector<Answer> answers;
  std::vector<Seat> seats;
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
  const auto wanted = [](const domain::Key& key) { return Wanted{key, absl::HashOf(key)}; };
  const std::lock_guard lock(mutex_);
  const domain::LocalTime oldest = queue_.empty() ? now : queue_.front().since;
  if (!limit_.admits(queue_.size(), oldest, now) &&
      std::ranges::any_of(keys, [&](const auto& key) { return !queued_.contains(wanted(key)); })) {
    return false;
  }
  // Most give up in the order in which they came.
  waiter->departure = departures_.emplace_hint(departures_.end(),
                                               std::min(deadline, now + options_.timeout), waiter);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    // What is not answered by then.
    waiter->answers[i].outcome = Outcome::kTimeout;
    const Wanted key = wanted(keys[i]);
    bool joined = true;
    const auto place = queued_.lazy_emplace(key, [&](const auto& make) {
      joined = false;
      make(&queue_.emplace_back(Place{.key = keys[i],
                                      .hash = key.hash,
                                      .since = now,
                                      .first = {waiter, i, false},
                                      .more = {}}));
    });
    if (joined) (*place)->more.push_back({waiter, i, true});
  }
  arm();
  return true;
}

int Flights::waiting() const {
  const std::lock_guard lock(mutex_);
  return static_cast<int>(queue_.size());
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
  if (queue_.empty() || static_cast<int>(left_.size()) >= options_.max_flights) return false;
  return left_.empty() || queue_.size() >= options_.company * left_.size() ||
         now - left_.back() >= options_.hurry;
}

// The next flight, if one is free and worth it, and somebody still waits for it. Those who have
// gone are settled.
std::shared_ptr<Flights::Flight> Flights::board(Landing& landing) {
  const domain::LocalTime now = clock_.now();
  if (!may_leave(now)) return nullptr;
  auto flight = std::make_shared<Flight>();
  const std::size_t waiting = queue_.size();
  const std::size_t most = std::min(waiting, static_cast<std::size_t>(options_.max_batch));
  flight->keys.reserve(most);
  flight->seats.reserve(most);
  domain::LocalTime youngest;
  while (!queue_.empty() && flight->keys.size() < most) {
    Place& place = queue_.front();
    youngest = place.since;
    queued_.erase(&place);
    bool wanted = take(place.first, *flight, landing);
    for (Passenger& passenger : place.more) wanted |= take(passenger, *flight, landing);
    if (wanted) flight->keys.push_back(std::move(place.key));
    queue_.pop_front();
  }
  limit_.took(waiting, now - youngest, now);
  if (flight->keys.empty()) return nullptr;
  flight->answers.resize(flight->keys.size());
  flight->left = now;
  left_.push_back(now);
  return flight;
}

// Gives a seat to whoever still waits for the next key of the flight.
bool Flights::take(Passenger& passenger, Flight& flight, Landing& landing) {
  Waiter& waiter = *passenger.waiter;
  if (waiter.gone()) {
    if (waiter.settled) return false;
    waiter.detail = "the caller has gone";
    settle(passenger.waiter, landing);
    return false;
  }
  flight.seats.push_back({.passenger = std::move(passenger), .key = flight.keys.size()});
  return true;
}

void Flights::landed(Flight& flight, const std::string& detail) {
  Landing landing;
  std::shared_ptr<Flight> next;
  {
    const std::lock_guard lock(mutex_);
    left_.erase(std::ranges::find(left_, flight.left));
    for (const auto& [passenger, key] : flight.seats) {
      Waiter& waiter = *passenger.waiter;
      if (waiter.settled) continue;
      if (!detail.empty()) waiter.detail = detail;
      Answer& slot = waiter.answers[passenger.index];
      slot = flight.answers[key];
      if (passenger.joined && slot.outcome == Outcome::kHit) slot.outcome = Outcome::kCoalesced;
      if (--waiter.missing == 0) settle(passenger.waiter, landing);
    }
    next = board(landing);
  }
  // When the last read has been told, there may be nothing left of this object.
  tell(landing);
  if (next) leave(std::move(next));
}

// What is still missing stays unanswered. Nobody touches the spans afterwards.
void Flights::settle(const std::shared_ptr<Waiter>& waiter, Landing& landing) {
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
