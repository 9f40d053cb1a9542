#include "stock/rpc/health.h"

#include <optional>

#include "stock/rpc/event.h"
#include "stock/rpc/server.h"

namespace stock::rpc {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

namespace {

// A watcher costs a stream; nobody needs more of them than there are load balancers.
constexpr std::size_t kMaxWatches = 1000;

}  // namespace

// One Watch stream. Its state belongs to the health's mutex, since changes come from any thread. It
// is gone when the stream has ended and no operation of it is under way.
class Health::Watch {
 public:
  Watch(Health& health, grpc::ServerCompletionQueue& queue)
      : health_(health), queue_(queue), writer_(&context_) {
    ++health_.watch_objects_;
    accepted_.watch = written_.watch = ended_.watch = this;
    context_.AsyncNotifyWhenDone(&ended_);
    health_.service_.RequestWatch(&context_, &request_, &writer_, &queue_, &queue_, &accepted_);
  }

  ~Watch() { --health_.watch_objects_; }

  // Under the mutex: sends what is the case now, unless it has been sent already.
  void send() {
    if (busy_ || ended_already_ || finishing_) return;
    const auto it = health_.statuses_.find(request_.service());
    const Status now =
        it == health_.statuses_.end() ? HealthCheckResponse::SERVICE_UNKNOWN : it->second;
    if (now != sent_) {
      sent_ = now;
      busy_ = true;
      HealthCheckResponse response;
      response.set_status(now);
      writer_.Write(response, &written_);
    } else if (health_.shut_down_) {
      finishing_ = busy_ = true;
      writer_.Finish({grpc::StatusCode::UNAVAILABLE, "the server is shutting down"}, &written_);
    }
  }

 private:
  struct Accepted final : Event {
    Watch* watch = nullptr;
    void happened(bool ok) override { watch->accepted(ok); }
  };
  struct Written final : Event {
    Watch* watch = nullptr;
    void happened(bool) override { watch->written(); }
  };
  struct Ended final : Event {
    Watch* watch = nullptr;
    void happened(bool) override { watch->ended(); }
  };

  void accepted(bool ok) {
    if (!ok) {
      delete this;
      return;
    }
    health_.wait_for_watch(queue_);
    const std::lock_guard lock(health_.mutex_);
    if (health_.watches_.size() >= kMaxWatches) {
      finishing_ = busy_ = true;
      writer_.Finish({grpc::StatusCode::RESOURCE_EXHAUSTED, "too many health watches"}, &written_);
      return;
    }
    health_.watches_.insert(this);
    send();
  }

  void written() {
    {
      const std::lock_guard lock(health_.mutex_);
      busy_ = false;
      if (!ended_already_) return send();
    }
    delete this;
  }

  void ended() {
    {
      const std::lock_guard lock(health_.mutex_);
      health_.watches_.erase(this);
      ended_already_ = true;
      if (busy_) return;
    }
    delete this;
  }

  Health& health_;
  grpc::ServerCompletionQueue& queue_;
  grpc::ServerContext context_;
  HealthCheckRequest request_;
  grpc::ServerAsyncWriter<HealthCheckResponse> writer_;
  Accepted accepted_;
  Written written_;
  Ended ended_;
  std::optional<Status> sent_;
  bool busy_ = false;  // an operation is under way
  bool finishing_ = false;
  bool ended_already_ = false;
};

Health::Health() { statuses_[""] = HealthCheckResponse::NOT_SERVING; }

Health::~Health() = default;

void Health::set(const std::string& service, bool serving) {
  const std::lock_guard lock(mutex_);
  if (shut_down_) return;
  const Status status = serving ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
  const auto [it, fresh] = statuses_.try_emplace(service, status);
  if (!fresh && it->second == status) return;
  it->second = status;
  for (Watch* watch : watches_) watch->send();
}

void Health::shut_down() {
  const std::lock_guard lock(mutex_);
  shut_down_ = true;
  for (auto& [service, status] : statuses_) status = HealthCheckResponse::NOT_SERVING;
  for (Watch* watch : watches_) watch->send();
}

Health::Status Health::status(const std::string& service) {
  const std::lock_guard lock(mutex_);
  const auto it = statuses_.find(service);
  return it == statuses_.end() ? HealthCheckResponse::SERVICE_UNKNOWN : it->second;
}

void Health::wait_for_watch(grpc::ServerCompletionQueue& queue) { new Watch(*this, queue); }

void Health::attach(Server& server) {
  server.add_service(service_);
  server.add_method<HealthCheckRequest, HealthCheckResponse>(
      "grpc.health.v1.Health", "Check",
      [this](auto... arguments) { service_.RequestCheck(arguments...); },
      [this](UnaryCall<HealthCheckRequest, HealthCheckResponse>& call) {
        const Status now = status(call.request().service());
        if (now == HealthCheckResponse::SERVICE_UNKNOWN) {
          return call.finish({grpc::StatusCode::NOT_FOUND, "unknown service"});
        }
        call.response().set_status(now);
        call.finish(grpc::Status::OK);
      });
}

}  // namespace stock::rpc
