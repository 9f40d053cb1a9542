#include "stockctl/rpc/write_pipeline.h"

#include <unordered_set>
#include <utility>

#include "stock/v1/stock_service.grpc.pb.h"
#include "stockctl/rpc/channel.h"

namespace stockctl {

using Stub = stock::v1::StockService::Stub;

namespace {

// The method that takes this request.
auto begin(Stub& stub, grpc::ClientContext* context, const stock::v1::AdjustStockRequest& request,
           grpc::CompletionQueue* queue) {
  return stub.AsyncAdjustStock(context, request, queue);
}
auto begin(Stub& stub, grpc::ClientContext* context,
           const stock::v1::CreateReservationRequest& request, grpc::CompletionQueue* queue) {
  return stub.AsyncCreateReservation(context, request, queue);
}
auto begin(Stub& stub, grpc::ClientContext* context,
           const stock::v1::CommitReservationRequest& request, grpc::CompletionQueue* queue) {
  return stub.AsyncCommitReservation(context, request, queue);
}
auto begin(Stub& stub, grpc::ClientContext* context,
           const stock::v1::FulfillReservationRequest& request, grpc::CompletionQueue* queue) {
  return stub.AsyncFulfillReservation(context, request, queue);
}
auto begin(Stub& stub, grpc::ClientContext* context,
           const stock::v1::ImportStockLevelsRequest& request, grpc::CompletionQueue* queue) {
  return stub.AsyncImportStockLevels(context, request, queue);
}

template <typename Response>
Response response_of(const std::unique_ptr<grpc::ClientAsyncResponseReader<Response>>&);

}  // namespace

struct WritePipeline::Call {
  virtual ~Call() = default;
  virtual WriteResponse take() = 0;

  std::uint32_t tag = 0;
  grpc::ClientContext context;
  grpc::Status status;
};

template <typename Response>
struct WritePipeline::CallOf final : Call {
  WriteResponse take() override { return std::move(response); }

  std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> reader;
  Response response;
};

struct WritePipeline::Connection {
  explicit Connection(const ClientOptions& options)
      : stub(stock::v1::StockService::NewStub(open_channel(options.address))),
        deadline(options.deadline) {}

  std::unique_ptr<Stub> stub;
  std::chrono::nanoseconds deadline;
  grpc::CompletionQueue queue;
  std::unordered_set<Call*> calls;
};

WritePipeline::WritePipeline(const ClientOptions& options)
    : connection_(std::make_unique<Connection>(options)) {}

WritePipeline::~WritePipeline() {
  for (Call* call : connection_->calls) call->context.TryCancel();
  connection_->queue.Shutdown();
  void* finished = nullptr;
  bool ok = false;
  while (connection_->queue.Next(&finished, &ok)) delete static_cast<Call*>(finished);
}

void WritePipeline::start(std::uint32_t tag, const WriteRequest& request) {
  std::visit(
      [&](const auto& message) {
        grpc::CompletionQueue* queue = &connection_->queue;
        using Response = decltype(response_of(begin(*connection_->stub, nullptr, message, queue)));
        auto call = std::make_unique<CallOf<Response>>();
        call->tag = tag;
        call->context.set_deadline(deadline_in(connection_->deadline));
        call->reader = begin(*connection_->stub, &call->context, message, queue);
        Call* const its = call.get();
        call->reader->Finish(&call->response, &call->status, its);
        // From here the queue has it, until it gives it back.
        call.release();
        connection_->calls.insert(its);
      },
      request);
  ++in_flight_;
}

std::optional<WriteAnswer> WritePipeline::wait(std::chrono::nanoseconds time) {
  void* finished = nullptr;
  bool ok = false;
  if (connection_->queue.AsyncNext(&finished, &ok, deadline_in(time)) !=
      grpc::CompletionQueue::GOT_EVENT) {
    return std::nullopt;
  }
  const std::unique_ptr<Call> call(static_cast<Call*>(finished));
  connection_->calls.erase(call.get());
  --in_flight_;
  if (!call->status.ok()) return WriteAnswer{call->tag, status_of(call->status, call->context)};
  return WriteAnswer{call->tag, call->take()};
}

}  // namespace stockctl
