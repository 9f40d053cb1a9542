#include "stock/layers/location_directory.h"

#include <algorithm>
#include <utility>

namespace stock::layers {
namespace {

constexpr int kPageSize = 1000;

}  // namespace

struct LocationDirectory::Waiter {
  ReadContext context;
  Done done;
  clock::Timers::Id timer = 0;
  bool settled = false;

  [[nodiscard]] bool gone() const {
    return settled || (context.cancelled != nullptr && *context.cancelled);
  }
};

struct LocationDirectory::Refresh {
  domain::Requirement requirement;
  domain::LocalTime deadline = domain::LocalTime::min();  // the last of the waiters'
  Waiters waiters;
  std::shared_ptr<Snapshot> list = std::make_shared<Snapshot>();
};

LocationDirectory::LocationDirectory(const CataloguePath& catalogue, clock::Timers& timers,
                                     const clock::DatabaseClock& database_clock,
                                     const feed::LedgerIdentity& identity)
    : catalogue_(catalogue),
      timers_(timers),
      database_clock_(database_clock),
      identity_(identity) {}

// Nobody waits any more; but a timer of one who was just answered may be running.
LocationDirectory::~LocationDirectory() { timers_.drain(); }

LocationDirectory::Requires LocationDirectory::lane_of(const domain::Requirement& requirement) {
  const auto write = requirement.at_least.value_or(domain::Transaction{});
  return {requirement.fully_consistent, requirement.allow_stale, requirement.max_age,
          write.incarnation, write.xid};
}

void LocationDirectory::get(const domain::Requirement& requirement, const ReadContext& context,
                            Done done) {
  if (auto list = known(); list && meets(*list, requirement)) {
    return done(absl::OkStatus(), std::move(list));
  }
  auto waiter = std::make_shared<Waiter>();
  waiter->context = context;
  waiter->done = std::move(done);
  {
    const std::lock_guard lock(mutex_);
    lanes_[lane_of(requirement)].waiting.push_back(waiter);
    if (context.deadline != domain::LocalTime::max()) {
      waiter->timer = timers_.at(context.deadline, [this, waiter] { expire(waiter); });
    }
  }
  launch(requirement);
}

void LocationDirectory::launch(const domain::Requirement& requirement) {
  Waiters gone;
  std::shared_ptr<Refresh> refresh;
  {
    const std::lock_guard lock(mutex_);
    refresh = board(requirement, gone);
  }
  tell(gone, absl::CancelledError("the caller has gone"), nullptr);
  if (refresh) fetch(refresh);
}

std::shared_ptr<LocationDirectory::Refresh> LocationDirectory::board(
    const domain::Requirement& requirement, Waiters& gone) {
  const auto lane = lanes_.find(lane_of(requirement));
  if (lane == lanes_.end() || lane->second.under_way) return nullptr;
  auto refresh = std::make_shared<Refresh>();
  refresh->requirement = requirement;
  Waiters left;
  for (auto& waiter : lane->second.waiting) {
    if (waiter->gone()) {
      left.push_back(std::move(waiter));
    } else {
      refresh->deadline = std::max(refresh->deadline, waiter->context.deadline);
      refresh->waiters.push_back(std::move(waiter));
    }
  }
  settle(left, gone);
  if (refresh->waiters.empty()) {
    lanes_.erase(lane);
    return nullptr;
  }
  lane->second = {.under_way = true, .waiting = {}};
  return refresh;
}

void LocationDirectory::fetch(const std::shared_ptr<Refresh>& refresh) {
  const std::vector<std::string>& ids = refresh->list->ids;
  const LocationQuery query{
      .id = {}, .after = ids.empty() ? std::string() : ids.back(), .limit = kPageSize};
  catalogue_.locations(query, refresh->requirement, {.deadline = refresh->deadline},
                       [this, refresh](Listing<LocationPage> listing) {
                         absl::Status status = listing.page.status();
                         const bool more = status.ok() && listing.page->more;
                         if (status.ok()) {
                           status = add(*std::move(listing.page), listing.layer, *refresh->list);
                         }
                         if (!status.ok()) {
                           // Old is better than nothing for those who said so; its age is told.
                           const auto old = refresh->requirement.allow_stale ? known() : nullptr;
                           return landed(*refresh, old ? absl::OkStatus() : status, old);
                         }
                         if (more) return fetch(refresh);
                         learn(refresh->list);
                         landed(*refresh, status, refresh->list);
                       });
}

// UNAVAILABLE: it is of another history than what is there already.
absl::Status LocationDirectory::add(LocationPage page, std::string_view layer,
                                    Snapshot& list) const {
  const bool first = list.ids.empty();
  if (!first && list.incarnation != page.incarnation) {
    return absl::UnavailableError("the ledger's history has changed while it was read");
  }
  list.true_through = first ? page.true_through : std::min(list.true_through, page.true_through);
  list.incarnation = page.incarnation;
  list.layer = layer;
  list.pages.push_back(std::move(page.shows));
  for (domain::Location& location : page.locations) list.ids.push_back(std::move(location.id));
  return absl::OkStatus();
}

void LocationDirectory::landed(Refresh& refresh, const absl::Status& status,
                               const std::shared_ptr<const Snapshot>& list) {
  Waiters told;
  Waiters gone;
  std::shared_ptr<Refresh> next;
  {
    const std::lock_guard lock(mutex_);
    Lane& lane = lanes_[lane_of(refresh.requirement)];
    lane.under_way = false;
    settle(refresh.waiters, told);
    if (list && meets(*list, refresh.requirement)) settle(lane.waiting, told);
    next = board(refresh.requirement, gone);
  }
  // When the last call has been answered, there may be nothing left of this object.
  tell(told, status, list);
  tell(gone, absl::CancelledError("the caller has gone"), nullptr);
  if (next) fetch(next);
}

void LocationDirectory::expire(const std::shared_ptr<Waiter>& waiter) {
  Waiters expired{waiter};
  Waiters told;
  {
    const std::lock_guard lock(mutex_);
    settle(expired, told);
  }
  tell(told, absl::DeadlineExceededError("no database has listed the locations in time"), nullptr);
}

void LocationDirectory::settle(Waiters& waiters, Waiters& told) {
  for (auto& waiter : waiters) {
    if (std::exchange(waiter->settled, true)) continue;
    if (waiter->timer != 0) timers_.cancel(waiter->timer);
    told.push_back(std::move(waiter));
  }
  waiters.clear();
}

void LocationDirectory::tell(const Waiters& told, const absl::Status& status,
                             const std::shared_ptr<const Snapshot>& list) {
  for (const auto& waiter : told) waiter->done(status, list);
}

bool LocationDirectory::meets(const Snapshot& list, const domain::Requirement& requirement) const {
  const auto age = database_clock_.age(list.true_through);
  const auto& bound = requirement.max_age;
  if (requirement.at_least && !list.shows(*requirement.at_least)) return false;
  return !requirement.fully_consistent && age && (!bound || domain::meets(*age, *bound));
}

bool LocationDirectory::Snapshot::shows(const domain::Transaction& write) const {
  return incarnation == write.incarnation && !pages.empty() &&
         std::ranges::all_of(pages,
                             [&](const auto& page) { return page && page->shows(write.xid); });
}

std::shared_ptr<const LocationDirectory::Snapshot> LocationDirectory::known() const {
  const std::lock_guard lock(mutex_);
  return known_ && known_->incarnation == identity_.current() ? known_ : nullptr;
}

void LocationDirectory::learn(std::shared_ptr<const Snapshot> list) {
  const std::lock_guard lock(mutex_);
  // Dates of two histories cannot be compared.
  const bool comparable = known_ && known_->incarnation == list->incarnation;
  if (!comparable || known_->true_through < list->true_through) known_ = std::move(list);
}

}  // namespace stock::layers
