#include "stockctl/rpc/adjust_pipeline.h"

#include <unordered_set>
#include <utility>

#include "stock/v1/stock_service.grpc.pb.h"
#include "stockctl/rpc/channel.h"

namespace stockctl {

using stock::v1::AdjustStockResponse;
using stock::v1::StockService;

struct AdjustPipeline::Call {
  std::uint32_t tag;
  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientAsyncResponseReader<AdjustStockResponse>> reader;
  AdjustStockResponse response;
  grpc::Status status;
};

struct AdjustPipeline::Connection {
  explicit Connection(const ClientOptions& options)
      : stub(StockService::NewStub(open_channel(options.address))), deadline(options.deadline) {}

  std::unique_ptr<StockService::Stub> stub;
  std::chrono::nanoseconds deadline;
  grpc::CompletionQueue queue;
  std::unordered_set<Call*> calls;
};

AdjustPipeline::AdjustPipeline(const ClientOptions& options)
    : connection_(std::make_unique<Connection>(options)) {}

AdjustPipeline::~AdjustPipeline() {
  for (Call* call : connection_->calls) call->context.TryCancel();
  connection_->queue.Shutdown();
  void* finished = nullptr;
  bool ok = false;
  while (connection_->queue.Next(&finished, &ok)) delete static_cast<Call*>(finished);
}

void AdjustPipeline::start(std::uint32_t tag, const stock::v1::AdjustStockRequest& request) {
  auto call = std::make_unique<Call>();
  call->tag = tag;
  call->context.set_deadline(deadline_in(connection_->deadline));
  call->reader = connection_->stub->AsyncAdjustStock(&call->context, request, &connection_->queue);
  call->reader->Finish(&call->response, &call->status, call.get());
  // From here the queue has it, until it gives it back.
  connection_->calls.insert(call.release());
  ++in_flight_;
}

std::optional<AdjustPipeline::Answer> AdjustPipeline::wait(std::chrono::nanoseconds time) {
  void* finished = nullptr;
  bool ok = false;
  if (connection_->queue.AsyncNext(&finished, &ok, deadline_in(time)) !=
      grpc::CompletionQueue::GOT_EVENT) {
    return std::nullopt;
  }
  const std::unique_ptr<Call> call(static_cast<Call*>(finished));
  connection_->calls.erase(call.get());
  --in_flight_;
  if (!call->status.ok()) return Answer{call->tag, status_of(call->status, call->context)};
  return Answer{call->tag, std::move(call->response)};
}

}  // namespace stockctl
