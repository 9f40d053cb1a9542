#include "stock/rpc/server.h"

#include <fmt/format.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>

#include <utility>

namespace stock::rpc {

namespace {

constexpr int kMaxReflectionThreads = 16;

}  // namespace

Server::Server(Options options, const clock::LocalClock& clock, CallObserver& observer)
    : options_(std::move(options)),
      clock_(clock),
      observer_(observer),
      streams_(options_.max_streams, clock) {
  health_.attach(*this);
}

Server::~Server() {
  if (server_) drain(std::chrono::milliseconds(0));
}

absl::Status Server::start() {
  static std::once_flag reflection;
  std::call_once(reflection, [] { grpc::reflection::InitProtoReflectionServerBuilderPlugin(); });

  grpc::ServerBuilder builder;
  builder.AddListeningPort(options_.address, grpc::InsecureServerCredentials(), &port_);
  // Unless it is asked for, a second server on the port is a mistake that must be seen.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, options_.share_port ? 1 : 0);
  builder.SetMaxReceiveMessageSize(options_.max_message_bytes);
  builder.SetMaxSendMessageSize(options_.max_message_bytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, options_.max_concurrent_streams);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS,
                             static_cast<int>(options_.max_connection_age.count()));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS,
                             static_cast<int>(options_.keepalive_time.count()));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
  // Clients may ping as often as every ten seconds, also without calls.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  // Reflection is a synchronous service: each of its streams holds a thread.
  grpc::ResourceQuota quota;
  quota.SetMaxThreads(kMaxReflectionThreads);
  builder.SetResourceQuota(quota);
  for (grpc::Service* service : services_) builder.RegisterService(service);
  queue_ = builder.AddCompletionQueue();
  server_ = builder.BuildAndStart();
  if (!server_ || port_ == 0) {
    if (server_) drain(std::chrono::milliseconds(0));
    return absl::UnavailableError(
        fmt::format("cannot listen on {}: is the port in use, or the address not of this machine?",
                    options_.address));
  }
  outbox_.attach(*queue_);
  for (const auto& post : post_) post();
  health_.wait_for_watch(*queue_);
  thread_ = std::thread([this] { serve(); });
  return absl::OkStatus();
}

void Server::serve() {
  outbox_.serve_here();
  void* tag = nullptr;
  bool ok = false;
  while (queue_->Next(&tag, &ok)) static_cast<Event*>(tag)->happened(ok);
}

void Server::drain(std::chrono::milliseconds timeout) {
  if (!server_) return;
  health_.shut_down();
  streams_.drain();
  server_->Shutdown(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                 gpr_time_from_millis(timeout.count(), GPR_TIMESPAN)));
  // Calls that were cut off still wait for their layers. Once no object is left that waits for a
  // call or answers one, nobody can begin an operation on the queue any more.
  while (calls_ > 0 || health_.watch_objects_ > 0 || !outbox_.idle()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  queue_->Shutdown();
  if (thread_.joinable()) {
    thread_.join();
  } else {
    serve();
  }
  server_.reset();
}

}  // namespace stock::rpc
