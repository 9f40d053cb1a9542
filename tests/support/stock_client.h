// The API as a client sees it, without the weight of gRPC's headers. Thread-safe.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "google/rpc/status.pb.h"
#include "stock/v1/drift_service.pb.h"
#include "stock/v1/stock_service.pb.h"

namespace stock::support {

// How a call ended.
struct Ended {
  int code = 0;  // grpc::StatusCode
  std::string message;
  std::string reason;                           // ErrorInfo's; empty when it was OK
  std::map<std::string, std::string> metadata;  // likewise
  google::rpc::Status details;
  v1::Provenance provenance;  // of an error: from the trailing metadata
  [[nodiscard]] bool ok() const { return code == 0; }
};

template <typename Response>
struct Called : Ended {
  Response response;
};

class StockClient {
 public:
  explicit StockClient(const std::string& address);
  ~StockClient();

  Called<v1::GetStockLevelResponse> get(const v1::GetStockLevelRequest& request);
  Called<v1::GetStockLevelResponse> get(const std::string& sku, const std::string& location,
                                        const v1::Consistency& consistency = {});
  Called<v1::BatchGetStockLevelsResponse> batch(const v1::BatchGetStockLevelsRequest& request);
  Called<v1::BatchGetStockTotalsResponse> totals(const v1::BatchGetStockTotalsRequest& request);
  Called<v1::CheckAvailabilityResponse> check(const v1::CheckAvailabilityRequest& request);
  Called<v1::ListStockLevelsResponse> list(const v1::ListStockLevelsRequest& request);
  Called<v1::AdjustStockResponse> adjust(const v1::AdjustStockRequest& request);
  Called<v1::AdjustStockResponse> adjust(const std::string& sku, const std::string& location,
                                         std::int64_t delta, const std::string& request_id = "");
  Called<v1::SetStockResponse> set(const v1::SetStockRequest& request);
  Called<v1::ImportStockLevelsResponse> import(const v1::ImportStockLevelsRequest& request);
  Called<v1::MoveStockResponse> move(const v1::MoveStockRequest& request);
  Called<v1::UpdateStockSettingsResponse> settings(const v1::UpdateStockSettingsRequest& request);
  Called<v1::CreateReservationResponse> reserve(const v1::CreateReservationRequest& request);
  Called<v1::UpdateReservationResponse> update(const v1::UpdateReservationRequest& request);
  Called<v1::CommitReservationResponse> commit(const v1::CommitReservationRequest& request);
  Called<v1::ReleaseReservationResponse> release(const v1::ReleaseReservationRequest& request);
  Called<v1::FulfillReservationResponse> fulfill(const v1::FulfillReservationRequest& request);
  Called<v1::GetReservationResponse> reservation(const std::string& id);
  Called<v1::ListReservationsResponse> reservations(const v1::ListReservationsRequest& request);
  Called<v1::ListStockMovementsResponse> history(const v1::ListStockMovementsRequest& request);
  Called<v1::CreateLocationResponse> create_location(const std::string& id,
                                                     const std::string& display_name = "");
  Called<v1::GetLocationResponse> location(const std::string& id);
  Called<v1::ListLocationsResponse> locations(const v1::ListLocationsRequest& request);
  Called<v1::ListLayersResponse> layers();
  Called<v1::UpdateLayerResponse> update_layer(const v1::UpdateLayerRequest& request);
  Called<v1::ExplainStockLevelResponse> explain(const v1::ExplainStockLevelRequest& request);
  Called<v1::AuditStockLevelsResponse> audit(const v1::AuditStockLevelsRequest& request);
  Called<v1::RepairStockLevelResponse> repair(const v1::RepairStockLevelRequest& request);
  Called<v1::ListIncidentsResponse> incidents(const v1::ListIncidentsRequest& request = {});
  Called<v1::ListForksResponse> forks(const v1::ListForksRequest& request = {});
  // Of "" or a service: whether it is SERVING.
  bool serving(const std::string& service = "");

  // Of each call from now on.
  void set_deadline(std::chrono::milliseconds deadline) { deadline_ = deadline; }

 private:
  struct Stubs;
  template <typename Response, typename Method, typename Request>
  Called<Response> call(Method method, const Request& request);

  std::unique_ptr<Stubs> stubs_;
  std::chrono::milliseconds deadline_{std::chrono::seconds(30)};
};

// The consistency of a read.
v1::Consistency fully_consistent();
v1::Consistency as_fresh_as(const std::string& token);
v1::Consistency at_most(std::chrono::milliseconds staleness, bool allow_stale = false);

// "memory miss, redis hit": what became of asking each layer.
std::string trail_of(const v1::Provenance& provenance);

}  // namespace stock::support
