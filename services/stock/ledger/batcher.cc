#include "stock/ledger/batcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "stock/ledger/plan.h"

namespace stock::ledger {
namespace {

using domain::LocalTime;

// Conflicts go away by themselves: the first few are run again at once.
constexpr int kEagerRetries = 3;

std::string text(const absl::Status& status) {
  return {status.message().data(), status.message().size()};
}

// An error that comes of what was asked, so that trying again does not help.
bool rejected(const absl::Status& status) {
  return !status.ok() && !absl::IsAborted(status) && !absl::IsUnavailable(status);
}

template <typename T>
void sort_distinct(std::vector<T>& values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

const domain::Key& key_of(const Change& change) {
  return std::visit([](const auto& c) -> const domain::Key& { return c.key; }, change);
}

std::vector<domain::Key> keys_of(const std::vector<const Request*>& requests) {
  std::vector<domain::Key> keys;
  for (const Request* request : requests) {
    for (const Change& change : request->changes) keys.push_back(key_of(change));
  }
  sort_distinct(keys);
  return keys;
}

std::vector<domain::Uuid> ids_of(const std::vector<const Request*>& requests) {
  std::vector<domain::Uuid> ids;
  ids.reserve(requests.size());
  for (const Request* request : requests) ids.push_back(request->id);
  sort_distinct(ids);
  return ids;
}

// Whether our locks waited for any other transaction that may hold `request`. Nothing is locked for
// keys without a level; but one lock is enough, as such a transaction would have locked it too.
bool anchored(const Request& request, const LockedLevels& levels) {
  return std::any_of(request.changes.begin(), request.changes.end(),
                     [&](const Change& change) { return levels.at(key_of(change)).exists; });
}

// Moves those that `late` picks to the end of `to`; the others keep their order.
template <typename From, typename To, typename Late>
void move_late(From& from, To& to, const Late& late) {
  const auto begin = std::stable_partition(from.begin(), from.end(),
                                           [&](const auto& pending) { return !late(pending); });
  std::move(begin, from.end(), std::back_inserter(to));
  from.erase(begin, from.end());
}

}  // namespace

Batcher::Batcher(const Options& options, Store& store, const clock::LocalClock& clock,
                 Observer& observer)
    : options_(options), store_(store), clock_(clock), observer_(observer) {
  thread_ = std::thread([this] { run(); });
}

Batcher::~Batcher() { stop(clock_.now()); }

void Batcher::submit(Request request, LocalTime deadline, Done done) {
  Pending pending{
      .request = std::move(request), .deadline = deadline, .done = std::move(done), .failure = {}};
  Reason reason = Reason::kUnavailable;
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_ && queue_.size() < options_.max_queue) {
      queue_.push_back(std::move(pending));
      changed_.notify_one();
      return;
    }
    if (!stopping_) reason = Reason::kQueueFull;
  }
  give_up(pending, reason,
          reason == Reason::kQueueFull ? "too many requests wait" : "the service is stopping");
}

void Batcher::stop(LocalTime deadline) {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    stop_deadline_ = std::min(stop_deadline_, deadline);
  }
  changed_.notify_all();
  const std::lock_guard lock(joining_);
  if (thread_.joinable()) thread_.join();
}

std::size_t Batcher::queue_length() const {
  const std::lock_guard lock(mutex_);
  return queue_.size();
}

void Batcher::run() {
  while (true) {
    Batch batch = take();
    if (batch.empty()) return;
    finish(std::move(batch));
  }
}

Batcher::Batch Batcher::take() {
  Batch batch;
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
  std::size_t lines = 0;
  while (!queue_.empty() && batch.size() < options_.max_requests) {
    lines += queue_.front().request.changes.size();
    if (lines > options_.max_lines && !batch.empty()) break;
    batch.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return batch;
}

void Batcher::finish(Batch batch) {
  expire(batch);
  for (int attempts = 1; !batch.empty(); ++attempts) {
    const absl::Status status = attempt(batch);
    if (batch.empty()) return;
    for (Pending& pending : batch) pending.failure = status;
    if (rejected(status)) return run_alone(std::move(batch));
    const bool unknown = std::any_of(batch.begin(), batch.end(),
                                     [](const Pending& pending) { return pending.unknown; });
    observer_.retried(absl::IsAborted(status) ? Retry::kConflict
                      : unknown               ? Retry::kUnknownCommit
                                              : Retry::kUnreachable);
    back_off(batch, absl::IsAborted(status) ? attempts - kEagerRetries : attempts);
    expire(batch);
    expire_queue();
  }
}

absl::Status Batcher::attempt(Batch& batch) {
  std::vector<const Request*> requests;
  for (const Pending& pending : batch) requests.push_back(&pending.request);

  const LocalTime began = clock_.now();
  absl::StatusOr<std::unique_ptr<Transaction>> transaction = store_.begin();
  if (!transaction.ok()) return transaction.status();
  absl::StatusOr<LockedLevels> levels = (*transaction)->lock(keys_of(requests));
  if (!levels.ok()) return levels.status();
  absl::StatusOr<RememberedRequests> remembered = (*transaction)->remembered(ids_of(requests));
  if (!remembered.ok()) return remembered.status();
  for (Pending& pending : batch) {
    if (anchored(pending.request, *levels)) pending.unknown = false;
  }

  Plan plan = make_plan(requests, *levels, *remembered);
  if (!plan.applied.empty()) {
    const auto persisted = (*transaction)->persist(plan.movements, plan.applied);
    if (!persisted.ok()) return persisted.status();
    plan.persisted_by(*persisted);
    const absl::Status status = (*transaction)->commit();
    if (absl::IsUnavailable(status)) {
      for (std::size_t i = 0; i < batch.size(); ++i) {
        batch[i].unknown |= std::holds_alternative<Applied>(plan.outcomes[i]);
      }
    }
    if (!status.ok()) return status;
    observer_.batch_committed(plan.applied.size(), plan.movements.size(), clock_.now() - began);
  }
  transaction->reset();  // lets go of the locks when there was nothing to commit
  answer_all(batch, std::move(plan.outcomes));
  return absl::OkStatus();
}

void Batcher::answer_all(Batch& batch, std::vector<Outcome> outcomes) {
  Batch open;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    // A refusal proves nothing about a request that a lost commit may still be about to apply.
    if (batch[i].unknown && std::holds_alternative<Refusal>(outcomes[i])) {
      open.push_back(std::move(batch[i]));
    } else {
      answer(batch[i], std::move(outcomes[i]));
    }
  }
  batch = std::move(open);
}

void Batcher::run_alone(Batch batch) {
  if (batch.size() == 1) {
    give_up(batch.front(), Reason::kRejected, text(batch.front().failure));
    return;
  }
  observer_.retried(Retry::kSplit);
  for (Pending& pending : batch) {
    Batch alone;
    alone.push_back(std::move(pending));
    finish(std::move(alone));
  }
}

void Batcher::expire(Batch& batch) {
  const LocalTime now = clock_.now();
  const bool stopped = stop_deadline() <= now;
  Batch expired;
  move_late(batch, expired, [&](const Pending& p) { return stopped || p.deadline <= now; });
  for (Pending& pending : expired) {
    if (absl::IsUnavailable(pending.failure)) {
      give_up(pending, Reason::kUnavailable, text(pending.failure));
    } else if (stopped) {
      give_up(pending, Reason::kUnavailable, "the service is stopping");
    } else {
      give_up(pending, Reason::kDeadline, "the deadline has passed");
    }
  }
}

void Batcher::expire_queue() {
  const LocalTime now = clock_.now();
  Batch expired;
  {
    const std::lock_guard lock(mutex_);
    move_late(queue_, expired, [now](const Pending& p) { return p.deadline <= now; });
  }
  expire(expired);
}

void Batcher::back_off(const Batch& batch, int failures) {
  if (failures <= 0) return;
  auto pause = options_.min_backoff;
  for (int i = 1; i < failures && pause < options_.max_backoff; ++i) pause *= 2;
  pause = std::min(pause, options_.max_backoff);
  std::uniform_int_distribution<std::int64_t> jittered(pause.count() / 2, pause.count());
  pause = std::chrono::nanoseconds(jittered(random_));
  const LocalTime now = clock_.now();
  for (const Pending& pending : batch) pause = std::min(pause, pending.deadline - now);

  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, pause, [this] { return stop_deadline_ <= clock_.now(); });
}

LocalTime Batcher::stop_deadline() const {
  const std::lock_guard lock(mutex_);
  return stop_deadline_;
}

void Batcher::answer(Pending& pending, Outcome outcome) {
  if (const auto* refusal = std::get_if<Refusal>(&outcome)) observer_.refused(refusal->reason);
  pending.done(std::move(outcome));
}

void Batcher::give_up(Pending& pending, Reason reason, const std::string& why) {
  if (pending.unknown) reason = Reason::kUnavailable;
  answer(pending,
         Refusal{.reason = reason,
                 .message = pending.unknown
                                ? fmt::format("it is not known whether this was applied ({}); "
                                              "repeat it with the same request_id to find out",
                                              why)
                                : fmt::format("this attempt changed nothing: {}", why),
                 .unknown = pending.unknown,
                 .lines = {}});
}

}  // namespace stock::ledger
