#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "stock/v1/drift_service.pb.h"
#include "stock/v1/stock_service.pb.h"

namespace stockctl {

struct FollowOptions {
  std::string address;
  std::string user_agent = "stockctl";
  // How long the server may be away before that is an error.
  std::chrono::nanoseconds patience = std::chrono::minutes(10);
  // Whether to stop; asked several times a second, from another thread.
  std::function<bool()> stop;
  // The stream has broken off with this and will be taken up again where it was.
  std::function<void(const absl::Status&)> lost;
};

// Reads a stream until `take` returns false or it is to stop (OK), taking it up again by the resume
// token of the last response when the server goes away. An error when it was never there, or when
// it refuses.
absl::Status follow(const FollowOptions& options, stock::v1::WatchStockLevelsRequest request,
                    const std::function<bool(const stock::v1::WatchStockLevelsResponse&)>& take);
absl::Status follow(
    const FollowOptions& options, stock::v1::StreamStockMovementsRequest request,
    const std::function<bool(const stock::v1::StreamStockMovementsResponse&)>& take);
// Has no token: it begins anew.
absl::Status follow(const FollowOptions& options, const stock::v1::WatchIncidentsRequest& request,
                    const std::function<bool(const stock::v1::WatchIncidentsResponse&)>& take);

}  // namespace stockctl
