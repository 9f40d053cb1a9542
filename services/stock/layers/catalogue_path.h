// Lists and histories from the nearest database whose answer is fresh enough: the replica if it
// serves, else the primary. Thread-safe; outlives its calls.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "stock/clock/database_clock.h"
#include "stock/clock/local_clock.h"
#include "stock/domain/freshness.h"
#include "stock/domain/provenance.h"
#include "stock/feed/ledger_identity.h"
#include "stock/layers/breaker.h"
#include "stock/layers/catalogue.h"
#include "stock/layers/switch.h"

namespace stock::layers {

// A page and where it comes from. `page` is UNAVAILABLE when no database could answer within the
// bound; `age` is then of the best page that there was. FAILED_PRECONDITION: the primary does not
// show the write that the answer has to show: that is none of its past.
template <typename Page>
struct Listing {
  absl::StatusOr<Page> page = absl::UnavailableError("no database has been asked");
  std::string_view layer;
  std::optional<domain::Age> age;
  bool bound_missed = false;
  std::vector<domain::Visit> trail;
};

template <typename Page>
using ListingDone = absl::AnyInvocable<void(Listing<Page>)>;

// One database's place in the path.
struct Shelf {
  Catalogue* database = nullptr;
  // No call waits longer for it, so that one that hangs leaves time for the next.
  std::chrono::nanoseconds timeout = std::chrono::seconds(1);
  const Switch* power = nullptr;  // null: always on, as the primary is
  Breaker* breaker = nullptr;     // that of its reads by key; null: none

  [[nodiscard]] bool on() const { return power == nullptr || power->on(); }
};

class CataloguePath {
 public:
  // In reading order; the last one is the primary.
  CataloguePath(std::vector<Shelf> shelves, const clock::LocalClock& clock,
                const clock::DatabaseClock& database_clock, const feed::LedgerIdentity& identity)
      : shelves_(std::move(shelves)),
        clock_(clock),
        database_clock_(database_clock),
        identity_(identity) {}

  void levels(LevelQuery query, const domain::Requirement& requirement, const ReadContext& context,
              ListingDone<LevelPage> done) const {
    start<LevelPage>(&Catalogue::levels, std::move(query), requirement, context, std::move(done));
  }
  void movements(MovementQuery query, const domain::Requirement& requirement,
                 const ReadContext& context, ListingDone<MovementPage> done) const {
    start<MovementPage>(&Catalogue::movements, std::move(query), requirement, context,
                        std::move(done));
  }
  void locations(LocationQuery query, const domain::Requirement& requirement,
                 const ReadContext& context, ListingDone<LocationPage> done) const {
    start<LocationPage>(&Catalogue::locations, std::move(query), requirement, context,
                        std::move(done));
  }
  void reservations(ReservationQuery query, const domain::Requirement& requirement,
                    const ReadContext& context, ListingDone<ReservationPage> done) const {
    start<ReservationPage>(&Catalogue::reservations, std::move(query), requirement, context,
                           std::move(done));
  }
  // From the first database that can answer for good; what the primary says is final, also that the
  // instant has not come yet (the page is then true through less), or that there is no such
  // version.
  void past(PastQuery query, const ReadContext& context, ListingDone<PastPage> done) const {
    start<PastPage>(&Catalogue::past, std::move(query), {}, context, std::move(done));
  }

 private:
  template <typename Query, typename Page>
  struct Call {
    void (Catalogue::*method)(Query, const ReadContext&, PageDone<Page>);
    Query query;
    domain::Requirement requirement;
    ReadContext context;
    ListingDone<Page> done;
    Listing<Page> listing;
    std::size_t shelf = 0;
    domain::LocalTime asked_at;
    Breaker::Attempt attempt;
  };

  template <typename Page, typename Query>
  void start(void (Catalogue::*method)(Query, const ReadContext&, PageDone<Page>), Query query,
             const domain::Requirement& requirement, const ReadContext& context,
             ListingDone<Page> done) const {
    auto call = std::make_shared<Call<Query, Page>>();
    call->method = method;
    call->query = std::move(query);
    call->requirement = requirement;
    call->context = context;
    call->done = std::move(done);
    ask(std::move(call));
  }

  template <typename Query, typename Page>
  void ask(std::shared_ptr<Call<Query, Page>> call) const {
    // Only the primary can promise full consistency.
    const auto bypassed = [&](const Shelf& shelf) {
      return call->requirement.fully_consistent || !shelf.on();
    };
    while (call->shelf + 1 < shelves_.size() && bypassed(shelves_[call->shelf])) {
      const Shelf& shelf = shelves_[call->shelf++];
      domain::Visit& visit = call->listing.trail.emplace_back();
      visit.layer = shelf.database->name();
      visit.add(domain::Outcome::kBypassed);
      if (!shelf.on()) visit.detail = shelf.power->why_off();
    }
    const Shelf& shelf = shelves_[call->shelf];
    call->asked_at = clock_.now();
    if (shelf.breaker != nullptr) {
      const auto attempt = shelf.breaker->admit();
      if (!attempt) {
        domain::Visit& visit = call->listing.trail.emplace_back();
        visit.layer = shelf.database->name();
        visit.add(domain::Outcome::kBreakerOpen);
        visit.detail = shelf.breaker->why();
        if (!call->listing.age) call->listing.page = absl::UnavailableError(visit.detail);
        return go_on(std::move(call));
      }
      call->attempt = *attempt;
    }
    ReadContext context = call->context;
    context.deadline = std::min(context.deadline, call->asked_at + shelf.timeout);
    (shelf.database->*call->method)(call->query, context, [this, call](absl::StatusOr<Page> page) {
      learn(*call, page.status());
      told(call, std::move(page));
    });
  }

  // For the breaker. Who was in a hurry, has gone, or was turned away has no evidence.
  template <typename Query, typename Page>
  void learn(const Call<Query, Page>& call, const absl::Status& status) const {
    const Shelf& shelf = shelves_[call.shelf];
    if (shelf.breaker == nullptr) return;
    using Evidence = Breaker::Evidence;
    const bool hurried =
        absl::IsDeadlineExceeded(status) && clock_.now() - call.asked_at < shelf.timeout;
    const bool gone = call.context.cancelled != nullptr && *call.context.cancelled;
    Evidence evidence = Evidence::kFails;
    if (status.ok()) {
      evidence = Evidence::kWorks;
    } else if (hurried || gone || absl::IsResourceExhausted(status)) {
      evidence = Evidence::kNone;
    }
    shelf.breaker->learn(call.attempt, evidence, std::string(status.message()));
  }

  template <typename Query, typename Page>
  void told(std::shared_ptr<Call<Query, Page>> call, absl::StatusOr<Page> page) const {
    Listing<Page>& listing = call->listing;
    const domain::LocalTime now = clock_.now();
    domain::Visit& visit = listing.trail.emplace_back();
    visit.layer = shelves_[call->shelf].database->name();
    visit.time = now - call->asked_at;
    if (!page.ok()) {
      const bool late = absl::IsDeadlineExceeded(page.status());
      visit.add(late ? domain::Outcome::kTimeout : domain::Outcome::kError);
      visit.detail = std::string(page.status().message());
      if (!listing.age) listing.page = absl::UnavailableError(page.status().message());
    } else if (page->incarnation != identity_.current()) {
      visit.add(domain::Outcome::kSuperseded);
      if (!listing.age) listing.page = absl::UnavailableError("of another history of the ledger");
    } else {
      const auto age = database_clock_.age(page->true_through, now);
      const auto& bound = call->requirement.max_age;
      const auto& write = call->requirement.at_least;
      const bool comparable = write && page->incarnation == write->incarnation && page->shows;
      const bool shown = !write || (comparable && page->shows->shows(write->xid));
      if (comparable && !shown && call->shelf + 1 == shelves_.size()) {
        visit.add(domain::Outcome::kTooOld);
        listing.page = absl::FailedPreconditionError("the primary does not show this write");
        listing.age.reset();
        return call->done(std::move(listing));
      }
      bool good = age && shown &&
                  (call->requirement.fully_consistent || !bound || domain::meets(*age, *bound));
      if constexpr (std::is_same_v<Page, PastPage>) {
        good = good && (page->answers(call->query) || call->shelf + 1 == shelves_.size());
      }
      visit.add(good ? domain::Outcome::kHit : domain::Outcome::kTooOld);
      if (age && (!listing.age || good || age->worst() < listing.age->worst())) {
        listing.page = std::move(page);
        listing.layer = visit.layer;
        listing.age = age;
        listing.bound_missed = !good;
      }
      if (good) return call->done(std::move(listing));
    }
    go_on(std::move(call));
  }

  // To the next shelf; else that was all.
  template <typename Query, typename Page>
  void go_on(std::shared_ptr<Call<Query, Page>> call) const {
    Listing<Page>& listing = call->listing;
    const bool gone = call->context.cancelled != nullptr && *call->context.cancelled;
    if (!gone && ++call->shelf < shelves_.size()) return ask(std::move(call));
    if constexpr (std::is_same_v<Page, PastPage>) {
      if (listing.bound_missed) {
        listing.page = absl::UnavailableError(
            "the primary cannot be asked, and no other database knows of that instant or version");
        listing.age.reset();
        return call->done(std::move(listing));
      }
    }
    if (listing.bound_missed && !call->requirement.allow_stale) {
      listing.page = absl::UnavailableError(
          fmt::format("no database could answer within the bound; the best bound that could be met "
                      "is {} µs",
                      listing.age->worst().count()));
    }
    call->done(std::move(listing));
  }

  const std::vector<Shelf> shelves_;
  const clock::LocalClock& clock_;
  const clock::DatabaseClock& database_clock_;
  const feed::LedgerIdentity& identity_;
};

}  // namespace stock::layers
