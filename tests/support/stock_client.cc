#include "support/stock_client.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <cctype>

#include "grpc/health/v1/health.grpc.pb.h"
#include "stock/v1/stock_service.grpc.pb.h"

namespace stock::support {

namespace {

// A server that a test has killed and started again is to be found again soon.
std::shared_ptr<grpc::Channel> channel_to(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 250);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

struct StockClient::Stubs {
  explicit Stubs(const std::string& address)
      : channel(channel_to(address)),
        stock(v1::StockService::NewStub(channel)),
        health(grpc::health::v1::Health::NewStub(channel)) {}
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::StockService::Stub> stock;
  std::unique_ptr<grpc::health::v1::Health::Stub> health;
};

StockClient::StockClient(const std::string& address) : stubs_(std::make_unique<Stubs>(address)) {}
StockClient::~StockClient() = default;

template <typename Response, typename Method, typename Request>
Called<Response> StockClient::call(Method method, const Request& request) {
  Called<Response> called;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + deadline_);
  const grpc::Status status = (stubs_->stock.get()->*method)(&context, request, &called.response);
  called.code = status.error_code();
  called.message = status.error_message();
  called.details.ParseFromString(status.error_details());
  for (const auto& detail : called.details.details()) {
    google::rpc::ErrorInfo info;
    if (!detail.UnpackTo(&info)) continue;
    called.reason = info.reason();
    called.metadata.insert(info.metadata().begin(), info.metadata().end());
  }
  const auto& trailing = context.GetServerTrailingMetadata();
  if (const auto it = trailing.find("stock-provenance-bin"); it != trailing.end()) {
    called.provenance.ParseFromArray(it->second.data(), static_cast<int>(it->second.size()));
  }
  return called;
}

Called<v1::GetStockLevelResponse> StockClient::get(const v1::GetStockLevelRequest& request) {
  return call<v1::GetStockLevelResponse>(&v1::StockService::Stub::GetStockLevel, request);
}

Called<v1::GetStockLevelResponse> StockClient::get(const std::string& sku,
                                                   const std::string& location,
                                                   const v1::Consistency& consistency) {
  v1::GetStockLevelRequest request;
  request.mutable_key()->set_sku(sku);
  request.mutable_key()->set_location(location);
  *request.mutable_consistency() = consistency;
  return get(request);
}

Called<v1::BatchGetStockLevelsResponse> StockClient::batch(
    const v1::BatchGetStockLevelsRequest& request) {
  return call<v1::BatchGetStockLevelsResponse>(&v1::StockService::Stub::BatchGetStockLevels,
                                               request);
}
Called<v1::BatchGetStockTotalsResponse> StockClient::totals(
    const v1::BatchGetStockTotalsRequest& request) {
  return call<v1::BatchGetStockTotalsResponse>(&v1::StockService::Stub::BatchGetStockTotals,
                                               request);
}
Called<v1::CheckAvailabilityResponse> StockClient::check(
    const v1::CheckAvailabilityRequest& request) {
  return call<v1::CheckAvailabilityResponse>(&v1::StockService::Stub::CheckAvailability, request);
}
Called<v1::ListStockLevelsResponse> StockClient::list(const v1::ListStockLevelsRequest& request) {
  return call<v1::ListStockLevelsResponse>(&v1::StockService::Stub::ListStockLevels, request);
}
Called<v1::AdjustStockResponse> StockClient::adjust(const v1::AdjustStockRequest& request) {
  return call<v1::AdjustStockResponse>(&v1::StockService::Stub::AdjustStock, request);
}

Called<v1::AdjustStockResponse> StockClient::adjust(const std::string& sku,
                                                    const std::string& location, std::int64_t delta,
                                                    const std::string& request_id) {
  v1::AdjustStockRequest request;
  request.mutable_context()->set_request_id(request_id);
  auto& line = *request.add_lines();
  line.mutable_key()->set_sku(sku);
  line.mutable_key()->set_location(location);
  line.set_on_hand_delta(delta);
  return adjust(request);
}

Called<v1::SetStockResponse> StockClient::set(const v1::SetStockRequest& request) {
  return call<v1::SetStockResponse>(&v1::StockService::Stub::SetStock, request);
}
Called<v1::ImportStockLevelsResponse> StockClient::import(
    const v1::ImportStockLevelsRequest& request) {
  return call<v1::ImportStockLevelsResponse>(&v1::StockService::Stub::ImportStockLevels, request);
}
Called<v1::ListStockMovementsResponse> StockClient::history(
    const v1::ListStockMovementsRequest& request) {
  return call<v1::ListStockMovementsResponse>(&v1::StockService::Stub::ListStockMovements, request);
}

Called<v1::CreateLocationResponse> StockClient::create_location(const std::string& id,
                                                                const std::string& display_name) {
  v1::CreateLocationRequest request;
  request.mutable_location()->set_id(id);
  request.mutable_location()->set_display_name(display_name);
  return call<v1::CreateLocationResponse>(&v1::StockService::Stub::CreateLocation, request);
}

Called<v1::GetLocationResponse> StockClient::location(const std::string& id) {
  v1::GetLocationRequest request;
  request.set_id(id);
  return call<v1::GetLocationResponse>(&v1::StockService::Stub::GetLocation, request);
}
Called<v1::ListLocationsResponse> StockClient::locations(const v1::ListLocationsRequest& request) {
  return call<v1::ListLocationsResponse>(&v1::StockService::Stub::ListLocations, request);
}

bool StockClient::serving(const std::string& service) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + deadline_);
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(service);
  grpc::health::v1::HealthCheckResponse response;
  return stubs_->health->Check(&context, request, &response).ok() &&
         response.status() == grpc::health::v1::HealthCheckResponse::SERVING;
}

v1::Consistency fully_consistent() {
  v1::Consistency consistency;
  consistency.set_fully_consistent(true);
  return consistency;
}

v1::Consistency as_fresh_as(const std::string& token) {
  v1::Consistency consistency;
  consistency.set_at_least_as_fresh(token);
  return consistency;
}

v1::Consistency at_most(std::chrono::milliseconds staleness, bool allow_stale) {
  v1::Consistency consistency;
  auto& bound = *consistency.mutable_max_staleness();
  bound.set_seconds(staleness.count() / 1000);
  bound.set_nanos(static_cast<int>(staleness.count() % 1000 * 1'000'000));
  consistency.set_allow_stale(allow_stale);
  return consistency;
}

std::string trail_of(const v1::Provenance& provenance) {
  const auto word = [](const std::string& name, std::size_t prefix) {
    std::string lower = name.substr(prefix);
    std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
    return lower;
  };
  std::string text;
  for (const v1::Visit& visit : provenance.trail()) {
    if (!text.empty()) text += ", ";
    text += word(v1::Layer_Name(visit.layer()), sizeof("LAYER_") - 1) + " " +
            word(v1::Outcome_Name(visit.outcome()), sizeof("OUTCOME_") - 1);
  }
  return text;
}

}  // namespace stock::support
