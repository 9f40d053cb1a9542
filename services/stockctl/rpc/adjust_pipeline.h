#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "stock/v1/stock_service.pb.h"
#include "stockctl/rpc/client.h"

namespace stockctl {

// AdjustStock calls, many at a time, over one connection and one completion queue. Belongs to one
// thread. Calls that are under way when it is destroyed are cancelled; whether they were applied is
// then unknown.
class AdjustPipeline {
 public:
  struct Answer {
    std::uint32_t tag;
    absl::StatusOr<stock::v1::AdjustStockResponse> response;
  };

  explicit AdjustPipeline(const ClientOptions& options);
  ~AdjustPipeline();

  // `tag` comes back with the answer.
  void start(std::uint32_t tag, const stock::v1::AdjustStockRequest& request);

  // The next answer, or nothing when there is none within `time`.
  std::optional<Answer> wait(std::chrono::nanoseconds time);

  std::size_t in_flight() const { return in_flight_; }

 private:
  struct Call;
  struct Connection;

  std::unique_ptr<Connection> connection_;
  std::size_t in_flight_ = 0;
};

}  // namespace stockctl
