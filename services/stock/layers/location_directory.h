// The ids of all locations, kept in the process with their date like any other copy: a total over
// "all locations" is as old as the oldest of its parts, and this list is one of them.
//
// Thread-safe; outlives its calls.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "stock/layers/catalogue_path.h"

namespace stock::layers {

class LocationDirectory {
 public:
  struct Snapshot {
    std::vector<std::string> ids;  // in order
    domain::DatabaseTime true_through;
    domain::Incarnation incarnation = 0;
    std::string_view layer;  // the database that said so
  };
  // Null with an error; UNAVAILABLE when no database can answer within the bound.
  using Done = absl::AnyInvocable<void(absl::Status, std::shared_ptr<const Snapshot>)>;

  LocationDirectory(const CataloguePath& catalogue, const clock::DatabaseClock& database_clock,
                    const feed::LedgerIdentity& identity)
      : catalogue_(catalogue), database_clock_(database_clock), identity_(identity) {}

  // Calls `done` at once when what is known meets the requirement, else when a database has
  // answered.
  void get(const domain::Requirement& requirement, const ReadContext& context, Done done);

 private:
  struct Refresh;
  void fetch(std::shared_ptr<Refresh> refresh);
  // What is known of the ledger that is current; null when nothing is.
  std::shared_ptr<const Snapshot> known() const;

  const CataloguePath& catalogue_;
  const clock::DatabaseClock& database_clock_;
  const feed::LedgerIdentity& identity_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Snapshot> known_;
};

}  // namespace stock::layers
