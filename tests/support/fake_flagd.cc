#include "support/fake_flagd.h"

#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/method_handler.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/impl/codegen/rpc_service_method.h>
#include <grpcpp/impl/codegen/service_type.h>

#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <utility>

namespace stock::support {

namespace wire = ::flagd::evaluation::v1;

// What gRPC would generate, if it had a stub for a service that is called Service.
struct FakeFlagd::State final : grpc::Service {
  State() {
    using grpc::internal::RpcMethod;
    AddMethod(new grpc::internal::RpcServiceMethod(
        "/flagd.evaluation.v1.Service/ResolveAll", RpcMethod::NORMAL_RPC,
        new grpc::internal::RpcMethodHandler<State, wire::ResolveAllRequest,
                                             wire::ResolveAllResponse, grpc::protobuf::MessageLite,
                                             grpc::protobuf::MessageLite>(
            [](State* self, grpc::ServerContext* context, const wire::ResolveAllRequest* request,
               wire::ResolveAllResponse* response) {
              return self->resolve(*context, *request, *response);
            },
            this)));
    AddMethod(new grpc::internal::RpcServiceMethod(
        "/flagd.evaluation.v1.Service/EventStream", RpcMethod::SERVER_STREAMING,
        new grpc::internal::ServerStreamingHandler<State, wire::EventStreamRequest,
                                                   wire::EventStreamResponse>(
            [](State* self, grpc::ServerContext* context, const wire::EventStreamRequest*,
               grpc::ServerWriter<wire::EventStreamResponse>* writer) {
              return self->follow(*context, *writer);
            },
            this)));
  }

  grpc::Status resolve(grpc::ServerContext& context, const wire::ResolveAllRequest& request,
                       wire::ResolveAllResponse& response) {
    const auto field = [&](const char* name) {
      const auto it = request.context().fields().find(name);
      return it == request.context().fields().end() ? "" : it->second.string_value();
    };
    std::unique_lock lock(mutex);
    const std::string cohort = field("cohort");
    if (!cohort.empty()) ++evaluations;
    const auto until = std::chrono::steady_clock::now() + delay;
    while (!stopping && !context.IsCancelled() && std::chrono::steady_clock::now() < until) {
      changed.wait_for(lock, std::chrono::milliseconds(5));
    }
    if (code != 0 && !cohort.empty()) {
      return {static_cast<grpc::StatusCode>(code), "as the test wants it"};
    }
    const Flags say_what = flags;
    lock.unlock();
    response = say_what(cohort, field("sku"), field("location"));
    return grpc::Status::OK;
  }

  grpc::Status follow(grpc::ServerContext& context,
                      grpc::ServerWriter<wire::EventStreamResponse>& writer) {
    std::unique_lock lock(mutex);
    const int ends_before = ends;
    std::size_t next = events.size();
    ++streams;
    wire::EventStreamResponse event;
    event.set_type("provider_ready");
    bool open = writer.Write(event);
    while (open && !stopping && ends == ends_before && !context.IsCancelled()) {
      if (next < events.size()) {
        event.set_type(events[next++]);
        open = writer.Write(event);
      } else {
        changed.wait_for(lock, std::chrono::milliseconds(20));
      }
    }
    --streams;
    return grpc::Status::OK;
  }

  mutable std::mutex mutex;  // guards the rest
  std::condition_variable changed;
  Flags flags;
  std::vector<std::string> events;
  std::chrono::milliseconds delay{0};
  int code = 0;
  int ends = 0;
  int evaluations = 0;
  int streams = 0;
  bool stopping = false;

  int port = 0;
  std::unique_ptr<grpc::Server> server;
};

FakeFlagd::FakeFlagd(Flags flags) : state_(std::make_unique<State>()) {
  state_->flags = std::move(flags);
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &state_->port);
  builder.RegisterService(state_.get());
  state_->server = builder.BuildAndStart();
  if (!state_->server) throw std::runtime_error("the fake flagd cannot listen");
}

FakeFlagd::~FakeFlagd() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->changed.notify_all();
  state_->server->Shutdown();
}

std::uint16_t FakeFlagd::port() const { return static_cast<std::uint16_t>(state_->port); }
std::string FakeFlagd::address() const { return "127.0.0.1:" + std::to_string(state_->port); }

void FakeFlagd::set(Flags flags) {
  set_quietly(std::move(flags));
  send("configuration_change");
}
void FakeFlagd::set_quietly(Flags flags) {
  const std::lock_guard lock(state_->mutex);
  state_->flags = std::move(flags);
}
void FakeFlagd::send(const std::string& type) {
  const std::lock_guard lock(state_->mutex);
  state_->events.push_back(type);
  state_->changed.notify_all();
}
void FakeFlagd::delay(std::chrono::milliseconds time) {
  const std::lock_guard lock(state_->mutex);
  state_->delay = time;
}
void FakeFlagd::fail(int code) {
  const std::lock_guard lock(state_->mutex);
  state_->code = code;
}
void FakeFlagd::end_streams() {
  const std::lock_guard lock(state_->mutex);
  ++state_->ends;
  state_->changed.notify_all();
}
int FakeFlagd::evaluations() const {
  const std::lock_guard lock(state_->mutex);
  return state_->evaluations;
}
int FakeFlagd::streams() const {
  const std::lock_guard lock(state_->mutex);
  return state_->streams;
}

void say(wire::ResolveAllResponse& response, const std::string& flag, bool value,
         const std::string& variant, const std::string& reason) {
  wire::AnyFlag& said = (*response.mutable_flags())[flag];
  said.set_bool_value(value);
  said.set_variant(variant);
  said.set_reason(reason);
}
void say(wire::ResolveAllResponse& response, const std::string& flag, double value,
         const std::string& variant, const std::string& reason) {
  wire::AnyFlag& said = (*response.mutable_flags())[flag];
  said.set_double_value(value);
  said.set_variant(variant);
  said.set_reason(reason);
}

}  // namespace stock::support
