#include "stockctl/rpc/client.h"

#include <tuple>

#include "stock/v1/drift_service.grpc.pb.h"
#include "stock/v1/stock_service.grpc.pb.h"
#include "stockctl/rpc/channel.h"

namespace stockctl {

using stock::v1::DriftService;
using stock::v1::StockService;

struct Client::Connection {
  explicit Connection(const ClientOptions& options) : deadline(options.deadline) {
    const auto channel = open_channel(options.address);
    stubs = {StockService::NewStub(channel), DriftService::NewStub(channel)};
  }

  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                             Response*),
                                const Request& request) {
    grpc::ClientContext context;
    context.set_deadline(deadline_in(deadline));
    Response response;
    Stub& stub = *std::get<std::unique_ptr<Stub>>(stubs);
    const grpc::Status status = (stub.*method)(&context, request, &response);
    if (!status.ok()) return status_of(status, context);
    return response;
  }

  std::tuple<std::unique_ptr<StockService::Stub>, std::unique_ptr<DriftService::Stub>> stubs;
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

absl::StatusOr<stock::v1::MoveStockResponse> Client::call(
    const stock::v1::MoveStockRequest& request) {
  return connection_->call(&StockService::Stub::MoveStock, request);
}

absl::StatusOr<stock::v1::UpdateStockSettingsResponse> Client::call(
    const stock::v1::UpdateStockSettingsRequest& request) {
  return connection_->call(&StockService::Stub::UpdateStockSettings, request);
}

absl::StatusOr<stock::v1::CreateReservationResponse> Client::call(
    const stock::v1::CreateReservationRequest& request) {
  return connection_->call(&StockService::Stub::CreateReservation, request);
}

absl::StatusOr<stock::v1::UpdateReservationResponse> Client::call(
    const stock::v1::UpdateReservationRequest& request) {
  return connection_->call(&StockService::Stub::UpdateReservation, request);
}

absl::StatusOr<stock::v1::CommitReservationResponse> Client::call(
    const stock::v1::CommitReservationRequest& request) {
  return connection_->call(&StockService::Stub::CommitReservation, request);
}

absl::StatusOr<stock::v1::ReleaseReservationResponse> Client::call(
    const stock::v1::ReleaseReservationRequest& request) {
  return connection_->call(&StockService::Stub::ReleaseReservation, request);
}

absl::StatusOr<stock::v1::FulfillReservationResponse> Client::call(
    const stock::v1::FulfillReservationRequest& request) {
  return connection_->call(&StockService::Stub::FulfillReservation, request);
}

absl::StatusOr<stock::v1::GetReservationResponse> Client::call(
    const stock::v1::GetReservationRequest& request) {
  return connection_->call(&StockService::Stub::GetReservation, request);
}

absl::StatusOr<stock::v1::ListReservationsResponse> Client::call(
    const stock::v1::ListReservationsRequest& request) {
  return connection_->call(&StockService::Stub::ListReservations, request);
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

absl::StatusOr<stock::v1::ListLayersResponse> Client::call(
    const stock::v1::ListLayersRequest& request) {
  return connection_->call(&DriftService::Stub::ListLayers, request);
}

absl::StatusOr<stock::v1::UpdateLayerResponse> Client::call(
    const stock::v1::UpdateLayerRequest& request) {
  return connection_->call(&DriftService::Stub::UpdateLayer, request);
}

absl::StatusOr<stock::v1::ExplainStockLevelResponse> Client::call(
    const stock::v1::ExplainStockLevelRequest& request) {
  return connection_->call(&DriftService::Stub::ExplainStockLevel, request);
}

absl::StatusOr<stock::v1::SubmitTestimoniesResponse> Client::call(
    const stock::v1::SubmitTestimoniesRequest& request) {
  return connection_->call(&DriftService::Stub::SubmitTestimonies, request);
}

absl::StatusOr<stock::v1::AuditStockLevelsResponse> Client::call(
    const stock::v1::AuditStockLevelsRequest& request) {
  return connection_->call(&DriftService::Stub::AuditStockLevels, request);
}

absl::StatusOr<stock::v1::RepairStockLevelResponse> Client::call(
    const stock::v1::RepairStockLevelRequest& request) {
  return connection_->call(&DriftService::Stub::RepairStockLevel, request);
}

absl::StatusOr<stock::v1::ListIncidentsResponse> Client::call(
    const stock::v1::ListIncidentsRequest& request) {
  return connection_->call(&DriftService::Stub::ListIncidents, request);
}

absl::StatusOr<stock::v1::ListForksResponse> Client::call(
    const stock::v1::ListForksRequest& request) {
  return connection_->call(&DriftService::Stub::ListForks, request);
}

}  // namespace stockctl
