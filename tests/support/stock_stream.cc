#include "support/stock_stream.h"

#include <grpcpp/grpcpp.h>

#include "stock/v1/drift_service.grpc.pb.h"
#include "stock/v1/stock_service.grpc.pb.h"

namespace stock::support {
namespace {

// Longer than any test waits.
constexpr std::chrono::minutes kDeadline{2};

struct Stubs {
  explicit Stubs(const std::shared_ptr<grpc::Channel>& channel)
      : stock(v1::StockService::NewStub(channel)), drift(v1::DriftService::NewStub(channel)) {}
  std::unique_ptr<v1::StockService::Stub> stock;
  std::unique_ptr<v1::DriftService::Stub> drift;
};

auto open(const Stubs& stubs, grpc::ClientContext& context,
          const v1::WatchStockLevelsRequest& request) {
  return stubs.stock->WatchStockLevels(&context, request);
}
auto open(const Stubs& stubs, grpc::ClientContext& context,
          const v1::StreamStockMovementsRequest& request) {
  return stubs.stock->StreamStockMovements(&context, request);
}
auto open(const Stubs& stubs, grpc::ClientContext& context,
          const v1::WatchIncidentsRequest& request) {
  return stubs.drift->WatchIncidents(&context, request);
}

// Flow control that does not grow with what the connection could carry: who does not read is soon
// felt by the server.
std::shared_ptr<grpc::Channel> channel_to(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

template <typename Request, typename Response>
struct StockStream<Request, Response>::Parts {
  explicit Parts(const std::string& address) : stubs(channel_to(address)) {}
  Stubs stubs;
  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientReader<Response>> reader;
};

template <typename Request, typename Response>
StockStream<Request, Response>::StockStream(const std::string& address, const Request& request)
    : parts_(std::make_unique<Parts>(address)) {
  parts_->context.set_deadline(std::chrono::system_clock::now() + kDeadline);
  parts_->context.set_wait_for_ready(true);
  parts_->reader = open(parts_->stubs, parts_->context, request);
}

template <typename Request, typename Response>
StockStream<Request, Response>::~StockStream() {
  cancel();
  if (parts_->reader) end();
}

template <typename Request, typename Response>
bool StockStream<Request, Response>::read(Response& response) {
  return parts_->reader && parts_->reader->Read(&response);
}

template <typename Request, typename Response>
std::vector<Response> StockStream<Request, Response>::read_until(
    const std::function<bool(const Response&)>& enough) {
  std::vector<Response> responses;
  Response response;
  while (read(response)) {
    responses.push_back(response);
    if (enough(response)) break;
  }
  return responses;
}

template <typename Request, typename Response>
void StockStream<Request, Response>::cancel() {
  parts_->context.TryCancel();
}

template <typename Request, typename Response>
Ended StockStream<Request, Response>::end() {
  Ended ended;
  Response response;
  while (read(response)) {
  }
  if (!parts_->reader) return ended;
  const grpc::Status status = parts_->reader->Finish();
  parts_->reader.reset();
  ended.code = status.error_code();
  ended.message = status.error_message();
  ended.details.ParseFromString(status.error_details());
  for (const auto& detail : ended.details.details()) {
    google::rpc::ErrorInfo info;
    if (detail.UnpackTo(&info)) ended.reason = info.reason();
  }
  const auto& trailing = parts_->context.GetServerTrailingMetadata();
  if (const auto it = trailing.find("stock-resume-token"); it != trailing.end()) {
    last_token_.assign(it->second.data(), it->second.size());
  }
  return ended;
}

template class StockStream<v1::WatchStockLevelsRequest, v1::WatchStockLevelsResponse>;
template class StockStream<v1::StreamStockMovementsRequest, v1::StreamStockMovementsResponse>;
template class StockStream<v1::WatchIncidentsRequest, v1::WatchIncidentsResponse>;

}  // namespace stock::support
