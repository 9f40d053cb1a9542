#include "stock/ledger/batcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
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
  return !status.ok() && !absl::IsAborted(status) && !absl::IsCancelled(status) &&
         !absl::IsUnavailable(status);
}

Retry retry_for(const absl::Status& status, bool unknown) {
  if (absl::IsCancelled(status)) return Retry::kLocked;
  if (absl::IsAborted(status)) return Retry::kConflict;
  return unknown ? Retry::kUnknownCommit : Retry::kUnreachable;
}

template <typename T>
void sort_distinct(std::vector<T>& values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

const domain::Key& key_of(const Change& change) {
  return std::visit([](const auto& c) -> const domain::Key& { return c.key; }, change);
}

// The levels that a request concerns, as far as `reservations` tells.
template <typename Visit>
void each_key(const Request& request, const Reservations& reservations, const Visit& visit) {
  for (const Change& change : request.changes) visit(key_of(change));
  for (const Line& line : request.lines()) visit(line.key);
  if (!request.action) return;
  const auto its = reservations.find(request.action->reservation);
  if (its == reservations.end()) return;
  for (const domain::ReservationLine& line : its->second.lines) visit(line.key);
}

std::vector<domain::Key> keys_of(const std::vector<const Request*>& requests,
                                 const Reservations& reservations) {
  std::vector<domain::Key> keys;
  for (const Request* request : requests) {
    each_key(*request, reservations, [&](const domain::Key& key) { keys.push_back(key); });
  }
  sort_distinct(keys);
  return keys;
}

std::vector<domain::Uuid> ids_of(const std::vector<const Request*>& requests) {
  std::vector<domain::Uuid> ids;
  ids.reserve(requests.size());
  for (const Request* request : requests) {
    if (request->remembered()) ids.push_back(request->id);
  }
  sort_distinct(ids);
  return ids;
}

// The reservations that are there already, for all that one knows.
std::vector<domain::Uuid> named_reservations(const std::vector<const Request*>& requests) {
  std::vector<domain::Uuid> ids;
  for (const Request* request : requests) {
    if (request->action && !std::holds_alternative<Reserve>(request->action->what)) {
      ids.push_back(request->action->reservation);
    }
  }
  sort_distinct(ids);
  return ids;
}

// Whether our locks waited for any other transaction that may hold `request`. Nothing is locked for
// keys without a level; but one lock is enough, as such a transaction would have locked it too.
bool anchored(const Request& request, const Books& books) {
  bool any = false;
  each_key(request, books.reservations, [&](const domain::Key& key) {
    const auto level = books.levels.find(key);
    any = any || (level != books.levels.end() && level->second.exists);
  });
  return any;
}

// Moves those that `late` picks to the end of `to`; the others keep their order.
template <typename From, typename To, typename Late>
void move_late(From& from, To& to, const Late& late) {
  const auto begin = std::stable_partition(from.begin(), from.end(),
                                           [&](const auto& pending) { return !late(pending); });
  std::move(begin, from.end(), std::back_inserter(to));
  from.erase(begin, from.end());
}

// Changes and lines, those of the reservations that are only named included.
std::size_t count_lines(const std::vector<const Request*>& requests,
                        const Reservations& reservations) {
  std::size_t lines = 0;
  for (const Request* request : requests) {
    each_key(*request, reservations, [&](const domain::Key&) { ++lines; });
  }
  return lines;
}

// Those that the requests name, before anything is locked: a guess at the levels that are theirs.
absl::StatusOr<Reservations> guess(Transaction& transaction,
                                   const std::vector<const Request*>& requests) {
  const std::vector<domain::Uuid> named = named_reservations(requests);
  if (named.empty()) return Reservations();
  return transaction.reservations(named);
}

// Locks the levels first, and reads everything else then: so it is what the locks waited for.
absl::StatusOr<Books> open_books(Transaction& transaction,
                                 const std::vector<const Request*>& requests,
                                 const std::vector<domain::Key>& keys) {
  Books books;
  absl::StatusOr<Opened> opened = transaction.open(keys, ids_of(requests));
  if (!opened.ok()) return opened.status();
  books.levels = std::move(opened->levels);
  books.requests = std::move(opened->requests);
  books.now = opened->now;

  const std::vector<domain::Uuid> named = named_reservations(requests);
  std::vector<domain::Uuid> wanted = named;
  for (const auto& [id, request] : books.requests) {
    if (request.made_reservation) wanted.push_back(id);
  }
  sort_distinct(wanted);
  if (!wanted.empty()) {
    absl::StatusOr<Reservations> found = transaction.reservations(wanted);
    if (!found.ok()) return found.status();
    books.reservations = *std::move(found);
  }
  for (const domain::Uuid& id : named) {
    const auto its = books.reservations.find(id);
    if (its == books.reservations.end()) continue;
    for (const domain::ReservationLine& line : its->second.lines) {
      if (!books.levels.contains(line.key)) {
        return absl::AbortedError("a reservation was given other lines meanwhile");
      }
    }
  }

  const bool any_due =
      std::any_of(books.levels.begin(), books.levels.end(), [&](const auto& entry) {
        return entry.second.earliest_expiry && *entry.second.earliest_expiry <= books.now;
      });
  // A level whose counts were changed by SQL, or that is gone, need not say when its holds end.
  const bool any_swept = std::any_of(requests.begin(), requests.end(), [](const Request* request) {
    return request->action && std::holds_alternative<Expire>(request->action->what);
  });
  if (any_due || any_swept) {
    absl::StatusOr<DueHolds> due = transaction.due(keys, books.now);
    if (!due.ok()) return due.status();
    books.due = *std::move(due);
    for (const domain::Reservation& reservation : books.due.reservations) {
      books.reservations.try_emplace(reservation.id, reservation);
    }
  }
  return books;
}

// The levels as the plan leaves them: what came between was never visible. What an import left is
// not announced: nobody has asked for a million keys.
Batcher::Announcements announcements(const Plan& plan, const Committed& committed,
                                     domain::HeartbeatNumber heartbeat) {
  std::map<domain::Key, const PlannedMovement*> last;
  for (const PlannedMovement& movement : plan.movements) last[movement.key] = &movement;
  Batcher::Announcements news;
  for (const auto& [key, movement] : last) {
    if (movement->kind == domain::MovementKind::kImport) continue;
    news.keys.push_back(key);
    news.levels.push_back(
        {.exists = true,
         .version = movement->version,
         .counts = movement->after,
         .earliest_expiry = movement->earliest_expiry.value_or(domain::DatabaseTime{}),
         .as_of = *committed.at,
         .true_through = *committed.at,
         .incarnation = committed.transaction.incarnation,
         .heartbeat = heartbeat,
         .confirmed_at = {},
         .confirmed_within = {},
         .layer = {}});
  }
  return news;
}

}  // namespace

Batcher::Batcher(const Options& options, Store& store, const clock::LocalClock& clock,
                 Observer& observer, Announcer* announcer)
    : options_(options),
      store_(store),
      clock_(clock),
      observer_(observer),
      announcer_(announcer),
      limit_({.target = options.target_wait,
              .floor = options.max_requests,
              .ceiling = options.max_queue}) {
  thread_ = std::thread([this] { run(); });
}

Batcher::~Batcher() { stop(clock_.now()); }

void Batcher::submit(Request request, LocalTime deadline, Done done) {
  Pending pending{.request = std::move(request),
                  .deadline = deadline,
                  .accepted = clock_.now(),
                  .done = std::move(done),
                  .failure = {}};
  Reason reason = Reason::kUnavailable;
  const char* why = "the service is stopping";
  {
    const std::lock_guard lock(mutex_);
    const LocalTime oldest = queue_.empty() ? pending.accepted : queue_.front().accepted;
    if (!stopping_ && limit_.admits(queue_.size(), oldest, pending.accepted)) {
      queue_.push_back(std::move(pending));
      changed_.notify_one();
      return;
    }
    if (!stopping_) {
      reason = limit_.at_ceiling() ? Reason::kQueueFull : Reason::kOverloaded;
      why = limit_.at_ceiling() ? "too many requests wait" : "requests wait for too long";
    }
  }
  give_up(pending, reason, why);
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

std::size_t Batcher::queue_limit() const {
  const std::lock_guard lock(mutex_);
  return limit_.limit();
}

void Batcher::run() {
  while (true) {
    Batch batch = take();
    if (batch.empty() && aside_.empty()) return;
    const LocalTime now = clock_.now();
    for (const Pending& pending : batch) observer_.waited(now - pending.accepted);
    finish(std::move(batch));
    resume();
  }
}

Batcher::Batch Batcher::take() {
  Batch batch;
  std::unique_lock lock(mutex_);
  if (aside_.empty()) {
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
  } else {
    changed_.wait_for(lock, options_.look_interval,
                      [this] { return !queue_.empty() || stop_deadline_ <= clock_.now(); });
  }
  const std::size_t waiting = queue_.size();
  std::size_t lines = 0;
  while (!queue_.empty() && batch.size() < options_.max_requests) {
    const Request& request = queue_.front().request;
    // Of a reservation that is only named nobody knows yet: see run_in_halves().
    lines += std::max<std::size_t>(request.changes.size() + request.lines().size(), 1);
    if (lines > options_.max_lines && !batch.empty()) break;
    batch.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  if (!batch.empty()) {
    const LocalTime now = clock_.now();
    limit_.took(waiting, now - batch.back().accepted, now);
  }
  return batch;
}

void Batcher::finish(Batch batch) {
  expire(batch);
  for (int attempts = 1; !batch.empty(); ++attempts) {
    std::vector<domain::Key> keys;
    const absl::Status status = attempt(batch, keys);
    if (batch.empty()) return;
    if (absl::IsResourceExhausted(status)) return run_in_halves(std::move(batch));
    for (Pending& pending : batch) pending.failure = status;
    if (rejected(status)) return run_alone(std::move(batch));
    const bool unknown = std::any_of(batch.begin(), batch.end(),
                                     [](const Pending& pending) { return pending.unknown; });
    if (status.ok() && !unknown) continue;  // every time, some more holds have been given back
    observer_.retried(retry_for(status, unknown));
    if (absl::IsCancelled(status)) look(std::move(keys));
    const bool conflict = absl::IsAborted(status) || absl::IsCancelled(status);
    back_off(batch, conflict ? attempts - kEagerRetries : attempts);
    expire(batch);
    expire_queue();
  }
}

std::vector<const Request*> Batcher::requests_of(const Batch& batch) {
  std::vector<const Request*> requests;
  requests.reserve(batch.size());
  for (const Pending& pending : batch) requests.push_back(&pending.request);
  return requests;
}

absl::Status Batcher::attempt(Batch& batch, std::vector<domain::Key>& keys) {
  const LocalTime began = clock_.now();
  const Announcer::Seen seen = announcer_ != nullptr ? announcer_->seen() : Announcer::Seen{};
  absl::StatusOr<std::unique_ptr<Transaction>> transaction = store_.begin();
  if (!transaction.ok()) return transaction.status();
  const absl::StatusOr<Reservations> named = guess(**transaction, requests_of(batch));
  if (!named.ok()) return named.status();
  put_aside(batch, *named);
  if (batch.empty()) return absl::OkStatus();
  const std::vector<const Request*> requests = requests_of(batch);
  if (batch.size() > 1 && count_lines(requests, *named) > 2 * options_.max_lines) {
    return absl::ResourceExhaustedError("too many lines for one transaction");
  }
  keys = keys_of(requests, *named);
  absl::StatusOr<Books> books = open_books(**transaction, requests, keys);
  if (!books.ok()) return books.status();
  for (Pending& pending : batch) {
    if (anchored(pending.request, *books)) pending.unknown = false;
  }
  // Who has not had the patience to wait for the locks is not decided any more.
  expire(batch);
  if (batch.empty()) return absl::OkStatus();

  Plan plan = make_plan(requests_of(batch), *books);
  Announcements news;
  if (!plan.empty()) {
    const auto committed = (*transaction)->commit(plan);
    if (absl::IsUnavailable(committed.status())) {
      for (std::size_t i = 0; i < batch.size(); ++i) {
        batch[i].unknown |= std::holds_alternative<Applied>(plan.outcomes[i]);
      }
    }
    if (!committed.ok()) return committed.status();
    plan.committed_by(committed->transaction);
    // Another primary may have taken over since: its heartbeats are not those that were seen.
    if (committed->at && seen.heartbeat != 0 &&
        seen.incarnation == committed->transaction.incarnation) {
      news = announcements(plan, *committed, seen.heartbeat);
    }
  } else {
    transaction->reset();  // lets go of the locks
  }
  observer_.batch_decided(plan, clock_.now() - began);
  answer_all(batch, std::move(plan.outcomes), books->due.truncated);
  if (!news.keys.empty()) announcer_->committed(news.keys, news.levels);
  return absl::OkStatus();
}

void Batcher::answer_all(Batch& batch, std::vector<Outcome> outcomes, bool more_due) {
  Batch open;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const auto* refusal = std::get_if<Refusal>(&outcomes[i]);
    const bool short_for_now =
        more_due && refusal != nullptr && refusal->reason == Reason::kInsufficientStock;
    // A refusal proves nothing about a request that a lost commit may still be about to apply.
    if (short_for_now || (batch[i].unknown && refusal != nullptr)) {
      open.push_back(std::move(batch[i]));
    } else {
      answer(batch[i], std::move(outcomes[i]));
    }
  }
  batch = std::move(open);
}

void Batcher::run_in_halves(Batch batch) {
  Batch second;
  const auto middle = batch.begin() + static_cast<std::ptrdiff_t>(batch.size() / 2);
  std::move(middle, batch.end(), std::back_inserter(second));
  batch.erase(middle, batch.end());
  finish(std::move(batch));
  finish(std::move(second));
}

void Batcher::run_alone(Batch batch) {
  if (batch.size() == 1) {
    const absl::Status& failure = batch.front().failure;
    const bool unfit = absl::IsFailedPrecondition(failure);
    give_up(batch.front(), unfit ? Reason::kLedgerUnfit : Reason::kRejected, text(failure));
    return;
  }
  observer_.retried(Retry::kSplit);
  for (Pending& pending : batch) {
    Batch alone;
    alone.push_back(std::move(pending));
    finish(std::move(alone));
  }
}

void Batcher::put_aside(Batch& batch, const Reservations& reservations) {
  if (held_.empty()) return;
  for (Pending& pending : batch) {
    each_key(pending.request, reservations, [&](const domain::Key& key) {
      if (held_.contains(key)) pending.behind = key;
    });
  }
  move_late(batch, aside_, [&](const Pending& pending) { return held_.contains(pending.behind); });
  for (; aside_.size() > options_.max_queue; aside_.pop_back()) {
    give_up(aside_.back(), Reason::kQueueFull, "too many requests wait");
  }
}

void Batcher::look(std::vector<domain::Key> keys) {
  look_at_ = clock_.now() + options_.look_interval;
  for (const auto& [key, holder] : held_) keys.push_back(key);
  sort_distinct(keys);
  absl::StatusOr<Holders> holders = store_.holders(keys);
  if (!holders.ok()) return;  // nor can anything else be done
  absl::erase_if(*holders, [&](const auto& entry) {
    const auto before = held_.find(entry.first);
    return before != held_.end() && before->second != entry.second;
  });
  held_ = *std::move(holders);
}

void Batcher::resume() {
  expire(aside_);
  if (aside_.empty()) return;
  if (look_at_ <= clock_.now()) look({});
  Batch free;
  move_late(aside_, free, [&](const Pending& pending) { return !held_.contains(pending.behind); });
  for (Pending& pending : free) pending.behind = {};
  for (auto next = free.begin(); next != free.end();) {
    const auto end =
        next + std::min<std::ptrdiff_t>(free.end() - next,
                                        static_cast<std::ptrdiff_t>(options_.max_requests));
    finish(Batch(std::move_iterator(next), std::move_iterator(end)));
    next = end;
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
    } else if (const domain::Key& key = pending.behind; !key.sku.empty()) {
      give_up(pending, Reason::kDeadline,
              fmt::format("the deadline has passed; somebody else keeps {} at {} locked", key.sku,
                          key.location));
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
  expire(aside_);
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
