#include "stock/ledger/sweeper.h"

#include <utility>
#include <variant>

namespace stock::ledger {

Sweeper::Sweeper(Options options, Holds& holds, Lanes& writes, const clock::LocalClock& clock)
    : options_(std::move(options)), holds_(holds), writes_(writes), clock_(clock) {
  thread_ = std::thread([this] { run(); });
}

Sweeper::~Sweeper() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

std::int64_t Sweeper::swept() const {
  const std::lock_guard lock(mutex_);
  return swept_;
}

void Sweeper::run() {
  bool more = false;
  while (pause(more ? std::chrono::nanoseconds(0) : options_.interval)) {
    if (!options_.leads()) {
      more = false;
      held_ = 0;
      counted_at_ = domain::LocalTime::min();
      continue;
    }
    more = sweep();
    if (counted_at_ == domain::LocalTime::min() ||
        clock_.now() - counted_at_ >= options_.count_interval) {
      count();
    }
  }
}

void Sweeper::count() {
  const absl::StatusOr<std::int64_t> held = holds_.count(options_.count_limit);
  if (held.ok()) {
    held_ = *held;
  } else {
    options_.failed(std::string(held.status().message()));
  }
  counted_at_ = clock_.now();
}

bool Sweeper::sweep() {
  const absl::StatusOr<std::vector<EndedHold>> ended = holds_.ended(options_.limit, after_);
  if (!ended.ok()) {
    std::string error(ended.status().message());
    if (error != std::exchange(error_, error)) options_.failed(error);
    return false;
  }
  error_.clear();
  const bool full = ended->size() == static_cast<std::size_t>(options_.limit);
  after_ = full ? ended->back() : EndedHold{};
  const domain::LocalTime deadline = clock_.now() + options_.patience;
  std::int64_t before = 0;
  {
    const std::lock_guard lock(mutex_);
    open_ = ended->size();
    before = swept_;
  }
  for (const auto& [end, id] : *ended) {
    Request request{.id = id,
                    .kind = domain::MovementKind::kExpire,
                    .action = Action{.reservation = id, .expected_revision = {}, .what = Expire{}}};
    writes_.submit(std::move(request), deadline, [this](const Outcome& outcome) {
      const std::lock_guard lock(mutex_);
      const auto* applied = std::get_if<Applied>(&outcome);
      if (applied != nullptr && applied->reservation->state == domain::ReservationState::kExpired) {
        ++swept_;
      }
      if (--open_ == 0) changed_.notify_all();
    });
  }
  // All are answered by the deadline, or when the batchers stop.
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return open_ == 0; });
  return full && swept_ - before == options_.limit;
}

bool Sweeper::pause(std::chrono::nanoseconds time) {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, time, [this] { return stopping_; });
}

}  // namespace stock::ledger
