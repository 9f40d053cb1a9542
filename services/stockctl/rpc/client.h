#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "stock/v1/drift_service.pb.h"
#include "stock/v1/stock_service.pb.h"

namespace stockctl {

struct ClientOptions {
  std::string address;
  // Of each call.
  std::chrono::nanoseconds deadline;
};

// The services' unary methods, one call at a time. A failed call's status carries what the server
// said of it (error_details.h). Connects with the first call. May be called from several threads.
// Keeps gRPC's headers, which take seconds to compile, out of the commands.
class Client {
 public:
  explicit Client(const ClientOptions& options);
  ~Client();

  absl::StatusOr<stock::v1::GetStockLevelResponse> call(const stock::v1::GetStockLevelRequest&);
  absl::StatusOr<stock::v1::BatchGetStockLevelsResponse> call(
      const stock::v1::BatchGetStockLevelsRequest&);
  absl::StatusOr<stock::v1::BatchGetStockTotalsResponse> call(
      const stock::v1::BatchGetStockTotalsRequest&);
  absl::StatusOr<stock::v1::ListStockLevelsResponse> call(const stock::v1::ListStockLevelsRequest&);
  absl::StatusOr<stock::v1::CheckAvailabilityResponse> call(
      const stock::v1::CheckAvailabilityRequest&);
  absl::StatusOr<stock::v1::AdjustStockResponse> call(const stock::v1::AdjustStockRequest&);
  absl::StatusOr<stock::v1::SetStockResponse> call(const stock::v1::SetStockRequest&);
  absl::StatusOr<stock::v1::MoveStockResponse> call(const stock::v1::MoveStockRequest&);
  absl::StatusOr<stock::v1::UpdateStockSettingsResponse> call(
      const stock::v1::UpdateStockSettingsRequest&);
  absl::StatusOr<stock::v1::CreateReservationResponse> call(
      const stock::v1::CreateReservationRequest&);
  absl::StatusOr<stock::v1::UpdateReservationResponse> call(
      const stock::v1::UpdateReservationRequest&);
  absl::StatusOr<stock::v1::CommitReservationResponse> call(
      const stock::v1::CommitReservationRequest&);
  absl::StatusOr<stock::v1::ReleaseReservationResponse> call(
      const stock::v1::ReleaseReservationRequest&);
  absl::StatusOr<stock::v1::FulfillReservationResponse> call(
      const stock::v1::FulfillReservationRequest&);
  absl::StatusOr<stock::v1::GetReservationResponse> call(const stock::v1::GetReservationRequest&);
  absl::StatusOr<stock::v1::ListReservationsResponse> call(
      const stock::v1::ListReservationsRequest&);
  absl::StatusOr<stock::v1::ImportStockLevelsResponse> call(
      const stock::v1::ImportStockLevelsRequest&);
  absl::StatusOr<stock::v1::ListStockMovementsResponse> call(
      const stock::v1::ListStockMovementsRequest&);
  absl::StatusOr<stock::v1::CreateLocationResponse> call(const stock::v1::CreateLocationRequest&);
  absl::StatusOr<stock::v1::GetLocationResponse> call(const stock::v1::GetLocationRequest&);
  absl::StatusOr<stock::v1::ListLocationsResponse> call(const stock::v1::ListLocationsRequest&);

  absl::StatusOr<stock::v1::ListLayersResponse> call(const stock::v1::ListLayersRequest&);
  absl::StatusOr<stock::v1::UpdateLayerResponse> call(const stock::v1::UpdateLayerRequest&);
  absl::StatusOr<stock::v1::ExplainStockLevelResponse> call(
      const stock::v1::ExplainStockLevelRequest&);
  absl::StatusOr<stock::v1::SubmitTestimoniesResponse> call(
      const stock::v1::SubmitTestimoniesRequest&);
  absl::StatusOr<stock::v1::AuditStockLevelsResponse> call(
      const stock::v1::AuditStockLevelsRequest&);
  absl::StatusOr<stock::v1::RepairStockLevelResponse> call(
      const stock::v1::RepairStockLevelRequest&);
  absl::StatusOr<stock::v1::ListIncidentsResponse> call(const stock::v1::ListIncidentsRequest&);
  absl::StatusOr<stock::v1::ListForksResponse> call(const stock::v1::ListForksRequest&);

 private:
  struct Connection;

  std::unique_ptr<Connection> connection_;
};

}  // namespace stockctl
