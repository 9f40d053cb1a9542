#include "stock/flags/flagd_client.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "flagd/evaluation/v1/evaluation.pb.h"

namespace stock::flags {
namespace {

namespace wire = ::flagd::evaluation::v1;

// By their names: gRPC has no stub for a service that is called Service.
constexpr char kResolveAll[] = "/flagd.evaluation.v1.Service/ResolveAll";
constexpr char kEventStream[] = "/flagd.evaluation.v1.Service/EventStream";
using ResolveStub = grpc::TemplatedGenericStub<wire::ResolveAllRequest, wire::ResolveAllResponse>;
using EventStub = grpc::TemplatedGenericStub<wire::EventStreamRequest, wire::EventStreamResponse>;

constexpr std::size_t kMaxTextBytes = 64;
constexpr int kMaxMessageBytes = 1 << 20;

// What a completion queue's tags point to.
class Event {
 public:
  virtual ~Event() = default;
  virtual void happened(bool ok) = 0;
};

std::string text_of(const std::string& text) {
  return domain::made_printable(std::string_view(text).substr(0, kMaxTextBytes));
}

domain::FlagSaid said_of(const wire::AnyFlag& flag) {
  domain::FlagSaid said{.variant = text_of(flag.variant()), .reason = text_of(flag.reason())};
  if (flag.has_bool_value()) said.value = flag.bool_value();
  if (flag.has_double_value()) said.value = flag.double_value();
  return said;
}

domain::FlagsSaid said_of(const std::vector<domain::Flag>& flags,
                          const wire::ResolveAllResponse& response) {
  domain::FlagsSaid said;
  for (const domain::Flag& flag : flags) {
    const auto it = response.flags().find(flag.name);
    said.push_back(it == response.flags().end() ? domain::FlagSaid{} : said_of(it->second));
  }
  return said;
}

// By what targeting rules can tell callers apart.
void fill_context(const layers::FlagQuestion& question, google::protobuf::Struct& context) {
  if (question.cohort.empty()) return;
  const auto set = [&](const char* name, const std::string& value) {
    (*context.mutable_fields())[name].set_string_value(value);
  };
  set("targetingKey", question.cohort);
  set("cohort", question.cohort);
  set("sku", question.key.sku);
  set("location", question.key.location);
}

absl::Status status_of(const grpc::Status& status) {
  return {static_cast<absl::StatusCode>(status.error_code()),
          domain::made_printable(std::string_view(status.error_message()).substr(0, 256))};
}

grpc::ChannelArguments channel_arguments() {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 500);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  // A new channel is then a new connection.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return arguments;
}

}  // namespace

// Everything is under one mutex, but for what is called back.
class FlagdClient::Connection {
 public:
  Connection(FlagdOptions options, const clock::LocalClock& clock, clock::Timers& timers)
      : options_(std::move(options)), clock_(clock), timers_(timers) {
    connect();
    thread_ = std::thread([this] { serve(); });
  }
  ~Connection();

  void follow(layers::FlagService::Listener& listener) {
    const std::lock_guard lock(mutex_);
    listener_ = &listener;
    begin_stream();
  }
  void resolve(const layers::FlagQuestion& question, domain::LocalTime deadline, Done done);

 private:
  struct Call;
  struct Stream;

  void serve();
  void connect();       // under mutex_, or before the thread
  void begin_stream();  // under mutex_
  void stream_ended(const absl::Status& why);
  void answered(Call& call);

  const FlagdOptions options_;
  const clock::LocalClock& clock_;
  clock::Timers& timers_;
  layers::FlagService::Listener* listener_ = nullptr;

  std::mutex mutex_;
  std::condition_variable idle_;
  std::shared_ptr<grpc::Channel> channel_;
  domain::LocalTime heard_at_;  // the last answer, or when it began to connect
  absl::flat_hash_set<Call*> calls_;
  std::unique_ptr<Stream> stream_;
  clock::Timers::Id retry_ = 0;
  bool stopping_ = false;

  grpc::CompletionQueue queue_;
  std::thread thread_;
};

// Lives until it has been answered.
struct FlagdClient::Connection::Call final : Event {
  explicit Call(Connection& owner_) : owner(owner_) {}
  void happened(bool /*ok*/) override { owner.answered(*this); }

  Connection& owner;
  Done done;
  grpc::ClientContext context;
  wire::ResolveAllResponse response;
  grpc::Status status;
  std::unique_ptr<grpc::ClientAsyncResponseReader<wire::ResolveAllResponse>> reader;
};

// One operation at a time: it begins, it is read from, and in the end it is finished.
struct FlagdClient::Connection::Stream final : Event {
  explicit Stream(Connection& owner_) : owner(owner_) {}

  void happened(bool ok) override {
    switch (state) {
      case State::kBeginning:
        return ok ? ask() : finish();
      case State::kAsking:
        return ok ? read() : finish();
      case State::kReading:
        if (!ok) return finish();
        heard();
        return read();
      case State::kFinishing:
        return owner.stream_ended(status_of(status));
    }
  }
  void ask() {
    state = State::kAsking;
    reader->WriteLast({}, grpc::WriteOptions(), this);
  }
  void read() {
    state = State::kReading;
    reader->Read(&message, this);
  }
  void finish() {
    state = State::kFinishing;
    reader->Finish(&status, this);
  }
  void heard() {
    if (!opened) {
      opened = true;
      owner.listener_->opened();
    } else if (message.type() == "configuration_change" || message.type() == "provider_ready") {
      owner.listener_->changed();
    }
  }

  enum class State { kBeginning, kAsking, kReading, kFinishing };
  Connection& owner;
  State state = State::kBeginning;
  bool opened = false;
  grpc::ClientContext context;
  wire::EventStreamResponse message;
  grpc::Status status;
  std::unique_ptr<
      grpc::ClientAsyncReaderWriter<wire::EventStreamRequest, wire::EventStreamResponse>>
      reader;
};

FlagdClient::Connection::~Connection() {
  clock::Timers::Id retry = 0;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    retry = retry_;
    for (Call* call : calls_) call->context.TryCancel();
    if (stream_) stream_->context.TryCancel();
  }
  timers_.cancel(retry);
  timers_.drain();
  {
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] { return calls_.empty() && !stream_; });
  }
  queue_.Shutdown();
  thread_.join();
}

void FlagdClient::Connection::serve() {
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
    // Whoever began the operation is past it.
    { const std::lock_guard lock(mutex_); }
    static_cast<Event*>(tag)->happened(ok);
  }
}

void FlagdClient::Connection::connect() {
  channel_ = grpc::CreateCustomChannel(options_.address, grpc::InsecureChannelCredentials(),
                                       channel_arguments());
  heard_at_ = clock_.now();
  if (stream_) stream_->context.TryCancel();
}

void FlagdClient::Connection::resolve(const layers::FlagQuestion& question,
                                      domain::LocalTime deadline, Done done) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_) {
      auto call = std::make_unique<Call>(*this);
      call->done = std::move(done);
      const auto left = std::max<std::chrono::nanoseconds>(deadline - clock_.now(), {});
      call->context.set_deadline(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                              gpr_time_from_nanos(left.count(), GPR_TIMESPAN)));
      wire::ResolveAllRequest request;
      fill_context(question, *request.mutable_context());
      calls_.insert(call.get());
      call->reader =
          ResolveStub(channel_).PrepareUnaryCall(&call->context, kResolveAll, request, &queue_);
      call->reader->StartCall();
      call->reader->Finish(&call->response, &call->status, call.get());
      static_cast<void>(call.release());  // answered() has it
      return;
    }
  }
  done(absl::UnavailableError("the process is stopping"));
}

void FlagdClient::Connection::answered(Call& call) {
  const std::unique_ptr<Call> owned(&call);
  absl::StatusOr<domain::FlagsSaid> said = domain::FlagsSaid();
  if (call.status.ok()) {
    said = said_of(options_.flags, call.response);
  } else {
    said = status_of(call.status);
  }
  {
    const std::lock_guard lock(mutex_);
    const domain::LocalTime now = clock_.now();
    const bool silent = call.status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
    if (!silent) heard_at_ = now;
    if (silent && !stopping_ && now - heard_at_ > options_.give_up_after) connect();
  }
  call.done(std::move(said));
  const std::lock_guard lock(mutex_);
  calls_.erase(&call);
  if (calls_.empty()) idle_.notify_all();
}

void FlagdClient::Connection::begin_stream() {
  if (stopping_) return;
  stream_ = std::make_unique<Stream>(*this);
  stream_->reader = EventStub(channel_).PrepareCall(&stream_->context, kEventStream, &queue_);
  stream_->reader->StartCall(stream_.get());
}

void FlagdClient::Connection::stream_ended(const absl::Status& why) {
  listener_->closed(why.ok() ? absl::UnavailableError("the stream of events was ended") : why);
  const std::lock_guard lock(mutex_);
  stream_.reset();
  if (stopping_) return idle_.notify_all();
  retry_ = timers_.at(clock_.now() + options_.retry_after, [this] {
    const std::lock_guard lock_again(mutex_);
    begin_stream();
  });
}

FlagdClient::FlagdClient(FlagdOptions options, const clock::LocalClock& clock,
                         clock::Timers& timers)
    : connection_(std::make_unique<Connection>(std::move(options), clock, timers)) {}

FlagdClient::~FlagdClient() = default;

void FlagdClient::follow(Listener& listener) { connection_->follow(listener); }

void FlagdClient::resolve(const layers::FlagQuestion& question, domain::LocalTime deadline,
                          Done done) {
  connection_->resolve(question, deadline, std::move(done));
}

}  // namespace stock::flags
