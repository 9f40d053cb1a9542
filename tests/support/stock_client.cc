#include "support/stock_client.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <cctype>
#include <tuple>

#include "grpc/health/v1/health.grpc.pb.h"
#include "stock/v1/drift_service.grpc.pb.h"
#include "stock/v1/stock_service.grpc.pb.h"

namespace stock::support {

namespace {

// A server that a test has killed and started again is to be found again soon. (The minimum is no
// pause but the time that one attempt may take, which on a busy machine is long.)
std::shared_ptr<grpc::Channel> channel_to(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 250);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

template <typename Stub, typename... Arguments>
Stub stub_of(grpc::Status (Stub::*method)(Arguments...));
template <typename Method>
using StubOf = decltype(stub_of(Method()));

}  // namespace

struct StockClient::Stubs {
  explicit Stubs(const std::string& address)
      : channel(channel_to(address)),
        stubs(v1::StockService::NewStub(channel), v1::DriftService::NewStub(channel)),
        health(grpc::health::v1::Health::NewStub(channel)) {}
  std::shared_ptr<grpc::Channel> channel;
  std::tuple<std::unique_ptr<v1::StockService::Stub>, std::unique_ptr<v1::DriftService::Stub>>
      stubs;
  std::unique_ptr<grpc::health::v1::Health::Stub> health;
};

StockClient::StockClient(const std::string& address) : stubs_(std::make_unique<Stubs>(address)) {}
StockClient::~StockClient() = default;

template <typename Response, typename Method, typename Request>
Called<Response> StockClient::call(Method method, const Request& request) {
  Called<Response> called;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + deadline_);
  auto& stub = *std::get<std::unique_ptr<StubOf<Method>>>(stubs_->stubs);
  const grpc::Status status = (stub.*method)(&context, request, &called.response);
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
Called<v1::MoveStockResponse> StockClient::move(const v1::MoveStockRequest& request) {
  return call<v1::MoveStockResponse>(&v1::StockService::Stub::MoveStock, request);
}
Called<v1::UpdateStockSettingsResponse> StockClient::settings(
    const v1::UpdateStockSettingsRequest& request) {
  return call<v1::UpdateStockSettingsResponse>(&v1::StockService::Stub::UpdateStockSettings,
                                               request);
}
Called<v1::CreateReservationResponse> StockClient::reserve(
    const v1::CreateReservationRequest& request) {
  return call<v1::CreateReservationResponse>(&v1::StockService::Stub::CreateReservation, request);
}
Called<v1::UpdateReservationResponse> StockClient::update(
    const v1::UpdateReservationRequest& request) {
  return call<v1::UpdateReservationResponse>(&v1::StockService::Stub::UpdateReservation, request);
}
Called<v1::CommitReservationResponse> StockClient::commit(
    const v1::CommitReservationRequest& request) {
  return call<v1::CommitReservationResponse>(&v1::StockService::Stub::CommitReservation, request);
}
Called<v1::ReleaseReservationResponse> StockClient::release(
    const v1::ReleaseReservationRequest& request) {
  return call<v1::ReleaseReservationResponse>(&v1::StockService::Stub::ReleaseReservation, request);
}
Called<v1::FulfillReservationResponse> StockClient::fulfill(
    const v1::FulfillReservationRequest& request) {
  return call<v1::FulfillReservationResponse>(&v1::StockService::Stub::FulfillReservation, request);
}
Called<v1::GetReservationResponse> StockClient::reservation(const std::string& id) {
  v1::GetReservationRequest request;
  request.set_id(id);
  return call<v1::GetReservationResponse>(&v1::StockService::Stub::GetReservation, request);
}
Called<v1::ListReservationsResponse> StockClient::reservations(
    const v1::ListReservationsRequest& request) {
  return call<v1::ListReservationsResponse>(&v1::StockService::Stub::ListReservations, request);
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

Called<v1::ListLayersResponse> StockClient::layers() {
  return call<v1::ListLayersResponse>(&v1::DriftService::Stub::ListLayers, v1::ListLayersRequest());
}
Called<v1::UpdateLayerResponse> StockClient::update_layer(const v1::UpdateLayerRequest& request) {
  return call<v1::UpdateLayerResponse>(&v1::DriftService::Stub::UpdateLayer, request);
}

Called<v1::ExplainStockLevelResponse> StockClient::explain(
    const v1::ExplainStockLevelRequest& request) {
  return call<v1::ExplainStockLevelResponse>(&v1::DriftService::Stub::ExplainStockLevel, request);
}
Called<v1::AuditStockLevelsResponse> StockClient::audit(
    const v1::AuditStockLevelsRequest& request) {
  return call<v1::AuditStockLevelsResponse>(&v1::DriftService::Stub::AuditStockLevels, request);
}
Called<v1::RepairStockLevelResponse> StockClient::repair(
    const v1::RepairStockLevelRequest& request) {
  return call<v1::RepairStockLevelResponse>(&v1::DriftService::Stub::RepairStockLevel, request);
}

Called<v1::ListIncidentsResponse> StockClient::incidents(const v1::ListIncidentsRequest& request) {
  return call<v1::ListIncidentsResponse>(&v1::DriftService::Stub::ListIncidents, request);
}

Called<v1::ListForksResponse> StockClient::forks(const v1::ListForksRequest& request) {
  return call<v1::ListForksResponse>(&v1::DriftService::Stub::ListForks, request);
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
