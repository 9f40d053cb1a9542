// The connection of those who work on a ledger by SQL, and what its errors mean. Only for the
// sources of this folder, which let no exception out.
#pragma once

#include <memory>
#include <pqxx/pqxx>
#include <string>

#include "absl/status/statusor.h"

namespace stockctl {

struct Database {
  explicit Database(const std::string& url) : pq(url) {}
  pqxx::connection pq;
  pqxx::quiet_errorhandler quiet{pq};
};

// `url` as libpq takes it. UNAVAILABLE: no database there.
absl::StatusOr<std::unique_ptr<Database>> open_database(const std::string& url);

// Of the exception that is being handled. FAILED_PRECONDITION: there is no ledger of this version
// here, or not for this user; UNAVAILABLE: the connection is lost.
absl::Status current_failure();

}  // namespace stockctl
