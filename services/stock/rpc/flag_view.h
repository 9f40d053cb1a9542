// What cohorts see, by what flags say, as messages; and what the handlers need for it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "stock/domain/flags.h"
#include "stock/layers/flag_forks.h"
#include "stock/layers/flag_reader.h"
#include "stock/rpc/errors.h"
#include "stock/v1/flags.pb.h"

namespace stock::rpc {

// All outlive the server.
struct FlagRooms {
  layers::FlagReader& reader;
  layers::FlagForks& forks;
  std::vector<domain::Flag> flags;
  std::vector<std::string> cohorts;  // those that are compared
};

// FAILED_PRECONDITION: the server has no flags.
Failure no_flags();

// What is wrong with the cohort of a request, if something is. `flags`: null where there are none.
// `past`: the read is one of the past.
std::optional<Failure> check_cohort(const std::string& cohort, const FlagRooms* flags, bool past);

// One per cohort, in their order.
std::vector<layers::FlagQuestion> for_all_cohorts(const FlagRooms& rooms, const domain::Key& key);

// What follows for a cohort from the answer to its question, of so many that are available; at
// `now` the ages are what they are told to be.
domain::Flagged to_proto(const FlagRooms& rooms, const std::string& cohort,
                         const layers::FlagAnswer& answer, std::int64_t available,
                         domain::LocalTime now, v1::FlaggedAvailability& out);

}  // namespace stock::rpc
