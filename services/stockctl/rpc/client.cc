#include "stockctl/rpc/client.h"

#include "stock/v1/stock_service.grpc.pb.h"
#include "stockctl/rpc/channel.h"

namespace stockctl {

using stock::v1::StockService;

struct Client::Connection {
  explicit Connection(const ClientOptions& options)
      : stub(StockService::NewStub(open_channel(options.address))), deadline(options.deadline) {}

  template <typename Request, typename Response>
  absl::StatusOr<Response> call(grpc::Status (StockService::Stub::*method)(grpc::ClientContext*,
                                                                           const Request&,
                                                                           Response*),
                                const Request& request) {
    grpc::ClientContext context;
    context.set_deadline(deadline_in(deadline));
    Response response;
    const grpc::Status status = (stub.get()->*method)(&context, request, &response);
    if (!status.ok()) return status_of(status, context);
    return response;
  }

  std::unique_ptr<StockService::Stub> stub;
  std::chrono::nanoseconds deadline;
};

Client::Client(const ClientOptions& options) : connection_(std::make_unique<Connection>(options)) {}

Client::~Client() = default;

absl::StatusOr<stock::v1::GetStockLevelResponse> Client::call(
    const stock::v1::GetStockLevelRequest& request) {
  return connection_->call(&StockService::Stub::GetStockLevel, request);
}

absl::StatusOr<stock::v1::BatchGetStockLevelsResponse> Client::call(
    const stock::v1::BatchGetStockLevelsRequest& request) {
  return connection_->call(&StockService::Stub::BatchGetStockLevels, request);
}

absl::StatusOr<stock::v1::BatchGetStockTotalsResponse> Client::call(
    const stock::v1::BatchGetStockTotalsRequest& request) {
  return connection_->call(&StockService::Stub::BatchGetStockTotals, request);
}

absl::StatusOr<stock::v1::ListStockLevelsResponse> Client::call(
    const stock::v1::ListStockLevelsRequest& request) {
  return connection_->call(&StockService::Stub::ListStockLevels, request);
}

absl::StatusOr<stock::v1::CheckAvailabilityResponse> Client::call(
    const stock::v1::CheckAvailabilityRequest& request) {
  return connection_->call(&StockService::Stub::CheckAvailability, request);
}

absl::StatusOr<stock::v1::AdjustStockResponse> Client::call(
    const stock::v1::AdjustStockRequest& request) {
  return connection_->call(&StockService::Stub::AdjustStock, request);
}

absl::StatusOr<stock::v1::SetStockResponse> Client::call(
    const stock::v1::SetStockRequest& request) {
  return connection_->call(&StockService::Stub::SetStock, request);
}

absl::StatusOr<stock::v1::ImportStockLevelsResponse> Client::call(
    const stock::v1::ImportStockLevelsRequest& request) {
  return connection_->call(&StockService::Stub::ImportStockLevels, request);
}

absl::StatusOr<stock::v1::ListStockMovementsResponse> Client::call(
    const stock::v1::ListStockMovementsRequest& request) {
  return connection_->call(&StockService::Stub::ListStockMovements, request);
}

absl::StatusOr<stock::v1::CreateLocationResponse> Client::call(
    const stock::v1::CreateLocationRequest& request) {
  return connection_->call(&StockService::Stub::CreateLocation, request);
}

absl::StatusOr<stock::v1::GetLocationResponse> Client::call(
    const stock::v1::GetLocationRequest& request) {
  return connection_->call(&StockService::Stub::GetLocation, request);
}

absl::StatusOr<stock::v1::ListLocationsResponse> Client::call(
    const stock::v1::ListLocationsRequest& request) {
  return connection_->call(&StockService::Stub::ListLocations, request);
}

}  // namespace stockctl
