// The API as a client sees it, without the weight of gRPC's headers. Thread-safe.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "google/rpc/status.pb.h"
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
  Called<v1::ListStockMovementsResponse> history(const v1::ListStockMovementsRequest& request);
  Called<v1::CreateLocationResponse> create_location(const std::string& id,
                                                     const std::string& display_name = "");
  Called<v1::GetLocationResponse> location(const std::string& id);
  Called<v1::ListLocationsResponse> locations(const v1::ListLocationsRequest& request);
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
