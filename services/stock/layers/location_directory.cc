#include "stock/layers/location_directory.h"

#include <algorithm>
#include <utility>

namespace stock::layers {
namespace {

constexpr int kPageSize = 1000;

}  // namespace

struct LocationDirectory::Refresh {
  domain::Requirement requirement;
  ReadContext context;
  Done done;
  std::shared_ptr<Snapshot> snapshot = std::make_shared<Snapshot>();
  std::string after;
};

void LocationDirectory::get(const domain::Requirement& requirement, const ReadContext& context,
                            Done done) {
  auto known = this->known();
  if (known && !requirement.fully_consistent) {
    const auto age = database_clock_.age(known->true_through);
    const auto& bound = requirement.max_age;
    const auto& write = requirement.at_least;
    if (age && (!bound || domain::meets(*age, *bound)) && (!write || known->shows(*write))) {
      return done(absl::OkStatus(), std::move(known));
    }
  }
  auto refresh = std::make_shared<Refresh>();
  refresh->requirement = requirement;
  refresh->context = context;
  refresh->done = std::move(done);
  refresh->snapshot->true_through = domain::DatabaseTime::max();
  fetch(std::move(refresh));
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

void LocationDirectory::fetch(std::shared_ptr<Refresh> refresh) {
  const LocationQuery query{.after = refresh->after, .limit = kPageSize};
  catalogue_.locations(
      query, refresh->requirement, refresh->context,
      [this, refresh](Listing<LocationPage> listing) {
        if (!listing.page.ok()) {
          auto known = this->known();
          // Old is better than nothing for those who said so; its age is told.
          if (known && refresh->requirement.allow_stale) {
            return refresh->done(absl::OkStatus(), std::move(known));
          }
          return refresh->done(listing.page.status(), nullptr);
        }
        Snapshot& snapshot = *refresh->snapshot;
        if (snapshot.pages.empty()) {
          snapshot.incarnation = listing.page->incarnation;
        } else if (snapshot.incarnation != listing.page->incarnation) {
          return refresh->done(absl::UnavailableError("the ledger began another history meanwhile"),
                               nullptr);
        }
        snapshot.pages.push_back(listing.page->shows);
        for (domain::Location& location : listing.page->locations) {
          snapshot.ids.push_back(std::move(location.id));
        }
        snapshot.true_through = std::min(snapshot.true_through, listing.page->true_through);
        snapshot.layer = listing.layer;
        if (listing.page->more) {
          refresh->after = snapshot.ids.back();
          return fetch(refresh);
        }
        {
          const std::lock_guard lock(mutex_);
          const bool newer = !known_ || known_->incarnation != snapshot.incarnation ||
                             known_->true_through < snapshot.true_through;
          if (newer) known_ = refresh->snapshot;
        }
        refresh->done(absl::OkStatus(), refresh->snapshot);
      });
}

}  // namespace stock::layers
