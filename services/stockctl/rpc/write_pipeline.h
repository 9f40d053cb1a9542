#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <variant>

#include "absl/status/statusor.h"
#include "stock/v1/stock_service.pb.h"
#include "stockctl/rpc/client.h"

namespace stockctl {

// What is written many times over, and what comes back.
using WriteRequest =
    std::variant<stock::v1::AdjustStockRequest, stock::v1::CreateReservationRequest,
                 stock::v1::CommitReservationRequest, stock::v1::FulfillReservationRequest,
                 stock::v1::ImportStockLevelsRequest>;
using WriteResponse =
    std::variant<stock::v1::AdjustStockResponse, stock::v1::CreateReservationResponse,
                 stock::v1::CommitReservationResponse, stock::v1::FulfillReservationResponse,
                 stock::v1::ImportStockLevelsResponse>;

struct WriteAnswer {
  std::uint32_t tag;
  absl::StatusOr<WriteResponse> response;
};

// Writes, many at a time, over one connection and one completion queue. Belongs to one thread.
// Calls that are under way when it is destroyed are cancelled; whether they were applied is then
// unknown.
class WritePipeline {
 public:
  explicit WritePipeline(const ClientOptions& options);
  ~WritePipeline();

  // `tag` comes back with the answer.
  void start(std::uint32_t tag, const WriteRequest& request);

  // The next answer, or nothing when there is none within `time`.
  std::optional<WriteAnswer> wait(std::chrono::nanoseconds time);

  std::size_t in_flight() const { return in_flight_; }

 private:
  struct Call;
  template <typename Response>
  struct CallOf;
  struct Connection;

  std::unique_ptr<Connection> connection_;
  std::size_t in_flight_ = 0;
};

}  // namespace stockctl
